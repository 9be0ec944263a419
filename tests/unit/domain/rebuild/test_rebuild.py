"""When a rebuild must not go on, and which release a rebuild deploys."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from manifest_engine.domain.approval import approval
from manifest_engine.domain.core.errors import StateError
from manifest_engine.domain.environment.environment import Approval
from manifest_engine.domain.lease import superseded
from manifest_engine.domain.rebuild import rebuild
from manifest_engine.domain.release import annotations as annotation
from manifest_engine.domain.release import history
from manifest_engine.domain.workload import resources

from tests.unit.domain.release.releases import ARTIFACT, DIGEST, make_release

NEWER = "sha256:" + "e" * 64
NIGHT = datetime(2026, 1, 9, 2, 30, tzinfo=UTC)


def live(provenance=None, **fields):
    return resources.workload(make_release(**fields), DIGEST, ARTIFACT, provenance)[0]


def planned(run_id="night-1", found=None, sha256=ARTIFACT["sha256"], **fields):
    annotations = annotation.read_annotations(found or live())
    block = {
        "releaseHash": annotations[annotation.RELEASE_HASH],
        "digest": annotations[annotation.DIGEST],
        "artifactSha256": sha256,
    }
    return make_release(run_id=run_id, rebuild=block, **fields)


def test_a_rebuild_goes_on_while_its_planned_release_is_live():
    assert rebuild.outdated(planned(), live()) is None


def test_a_removed_service_is_not_deployed_again():
    assert "the rebuild was skipped" in rebuild.outdated(planned(), None)
    going = live()
    going["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    assert "the rebuild was skipped" in rebuild.outdated(planned(), going)


def test_a_deployment_made_meanwhile_stays_and_its_requester_is_named():
    found = rebuild.outdated(planned(), live(replicas=3, run_id="by-hand"))
    assert "by run by-hand of ada; the rebuild was skipped" in found


def test_a_retry_goes_on_with_the_release_that_an_earlier_try_applied():
    before = live()
    applied = live(run_id="night-1")
    applied["metadata"]["annotations"] |= {annotation.DIGEST: NEWER, annotation.RELEASE_HASH: "new"}
    assert rebuild.outdated(planned(found=before), applied) is None


@pytest.mark.parametrize("change", [{"replicas": 3}, {"sha256": "b" * 64}, {"sha256": None}])
def test_another_manifest_or_artifact_is_no_rebuild(change):
    assert "this is not a rebuild" in rebuild.outdated(planned(**change), live())


def test_an_ordinary_deployment_is_never_outdated():
    assert rebuild.outdated(make_release(), None) is None


def tonight():
    return planned().model_copy(update={"requested_at": NIGHT})


def test_a_rebuild_has_its_own_tag_and_the_request_time_of_the_live_release():
    found = rebuild.release_of(tonight(), live())
    assert (found.tag, found.requested_at) == ("1.0-202601090230", NIGHT)
    assert found.renews_request_at == make_release().requested_at
    again = rebuild.release_of(tonight(), resources.workload(found, NEWER, ARTIFACT)[0])
    assert again.renews_request_at == make_release().requested_at


def test_a_deployment_requested_before_and_applied_after_a_rebuild_is_not_superseded():
    asked = datetime(2026, 1, 9, 2, 29, tzinfo=UTC)
    manual = make_release(run_id="by-hand", version="2.0").model_copy(
        update={"requested_at": asked}
    )
    renewed = rebuild.release_of(tonight(), live())
    applied = resources.workload(renewed, NEWER, ARTIFACT)[0]
    superseded.refuse(manual, applied)
    late = renewed.model_copy(update={"renews_request_at": None})
    with pytest.raises(StateError, match="superseded"):
        superseded.refuse(manual, resources.workload(late, NEWER, ARTIFACT)[0])


def test_a_rebuild_changes_neither_manifest_nor_hash_of_a_release():
    ordinary, renewed = live(), resources.workload(planned(), DIGEST, ARTIFACT)[0]
    for key in (annotation.MANIFEST, annotation.RELEASE_HASH):
        assert (
            annotation.read_annotations(ordinary)[key] == annotation.read_annotations(renewed)[key]
        )


def test_provenance_is_carried_over_only_with_the_same_image():
    before = live({"bases": {}})
    same = history.carry_over(
        resources.workload(make_release(replicas=3), DIGEST, ARTIFACT), before
    )
    other = history.carry_over(resources.workload(make_release(), NEWER, ARTIFACT), before)
    assert annotation.read_annotations(same[0])[annotation.BUILT_FROM] == '{"bases":{}}'
    assert annotation.BUILT_FROM not in annotation.read_annotations(other[0])


def packed_record(an_object):
    """The annotations that a rollback to this release restores."""
    return annotation.read_annotations(
        history.restore(annotation.read_annotations(an_object)[annotation.OBJECTS])[0]
    )


def test_a_rollback_restores_the_provenance_that_was_carried_over():
    before = live({"bases": {}})
    desired = resources.workload(make_release(replicas=3), DIGEST, ARTIFACT)
    assert (
        packed_record(history.carry_over(desired, before)[0])[annotation.BUILT_FROM]
        == '{"bases":{}}'
    )


def test_a_rollback_restores_the_provenance_that_a_rebuild_recorded():
    before = live({"bases": {}}, run_id="run-1")
    again = make_release(run_id="night-1")
    applied = history.carry_over(
        resources.workload(again, DIGEST, ARTIFACT, {"bases": {"a": "b"}}), before
    )
    record = packed_record(applied[0])
    assert record[annotation.BUILT_FROM] == '{"bases":{"a":"b"}}'
    assert record[annotation.RUN_ID] == "run-1"
    assert record.keys() == packed_record(before).keys()


def by_night(release):
    """Airflow reports that a DAG started the run; a person could have written the field."""
    return release.model_copy(update={"by_dag": True})


@pytest.mark.parametrize(
    ("rule", "release", "needed"),
    [
        (None, planned(), False),
        (Approval(), planned(), True),
        (Approval(exemptRebuilds=True), by_night(planned()), False),
        (Approval(exemptRebuilds=True), planned(), True),
        (Approval(), by_night(planned()), True),
        (Approval(exemptRebuilds=True), by_night(planned(sha256=None)), True),
        (Approval(exemptRebuilds=True), make_release(), True),
    ],
)
def test_an_environment_can_exempt_rebuilds_of_a_known_artifact_from_approval(
    rule, release, needed
):
    environment = release.environment.model_copy(update={"approval": rule})
    release = release.model_copy(update={"environment": environment})
    assert approval.is_needed(release) is needed
    if needed:
        with pytest.raises(StateError, match="asks for an approval"):
            approval.check(None, release, DIGEST)
    else:
        approval.check(None, release, DIGEST)
