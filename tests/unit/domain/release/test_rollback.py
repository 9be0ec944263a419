"""The target of a rollback, from the annotations in the cluster."""

from __future__ import annotations

import pytest
from manifest_engine.domain.core.errors import ManifestError
from manifest_engine.domain.release import history, rollback
from manifest_engine.domain.workload import resources

from tests.unit.domain.release.releases import ARTIFACT, make_release

ASKED = {"component": "pricing", "serviceName": "quotes", "environment": "dev"}
DAY = {"1.0": 1, "1.1": 2, "1.2": 3}


def digest(version):
    return "sha256:" + version[-1] * 64


def objects(version, **fields):
    release = make_release(run_id=f"run-{version}", version=version, **fields)
    asked = release.requested_at.replace(day=DAY[version])
    release = release.model_copy(update={"requested_at": asked})
    return resources.workload(release, digest(version), ARTIFACT)


def deployment(version, before=None, *, up=True):
    """A live Deployment that was applied over ``before`` and came up, or did not."""
    made = history.carry_over(objects(version), before)[0]
    reason = "NewReplicaSetAvailable" if up else "ReplicaSetUpdated"
    conditions = [{"type": "Progressing", "reason": reason}]
    made["status"] = {"updatedReplicas": 1, "conditions": conditions}
    return made


def replica_set(a_deployment):
    return {"metadata": {"annotations": a_deployment["metadata"]["annotations"]}}


def chosen(live, replica_sets, version=None):
    request = rollback.parse(ASKED | {"version": version})
    return rollback.choose(request, live, rollback.past_releases(live, replica_sets)).version


@pytest.fixture
def three():
    """Release 1.2 is live after 1.0 and 1.1; all have ReplicaSets."""
    first = deployment("1.0")
    second = deployment("1.1", first)
    third = deployment("1.2", second)
    return third, [replica_set(item) for item in (first, third, second)]


def test_without_a_version_the_previous_release_is_chosen(three):
    assert chosen(*three) == "1.1"


@pytest.mark.parametrize("named", ["1.0", digest("1.0"), digest("1.0")[:20], "00000000", " 1.0 "])
def test_a_release_can_be_chosen_by_version_or_digest(three, named):
    assert chosen(*three, named) == "1.0"


def test_an_unknown_version_is_refused_with_a_list_of_releases_newest_first(three):
    with pytest.raises(ManifestError) as caught:
        chosen(*three, "0.9")
    assert str(caught.value) == (
        "pricing-quotes has no release '0.9' in the history of the environment 'dev'. Available, "
        "newest first: 1.1 (sha256:111111111111, 2026-01-02 03:04 by ada); 1.0 "
        "(sha256:000000000000, 2026-01-01 03:04 by ada)."
    )


def test_the_live_release_cannot_be_chosen(three):
    with pytest.raises(ManifestError, match=r"1\.2 is live already\. Available.*1\.1"):
        chosen(*three, "1.2")


def test_six_digits_are_too_few_for_a_digest(three):
    with pytest.raises(ManifestError, match="no release '000000'"):
        chosen(*three, "000000")


def test_a_failed_release_in_between_is_skipped():
    first = deployment("1.0")
    failed = deployment("1.1", first, up=False)
    third = deployment("1.2", failed)
    sets = [replica_set(item) for item in (first, failed, third)]
    assert chosen(third, sets) == "1.0"


def test_a_failed_release_that_was_rolled_back_automatically_is_skipped():
    first = deployment("1.0")
    failed = deployment("1.1", first, up=False)
    with pytest.raises(ManifestError, match=r"no release before the live one.*1\.1 \(sha256"):
        chosen(deployment("1.0"), [replica_set(first), replica_set(failed)])


def test_the_previous_release_is_found_without_its_replica_set():
    first = deployment("1.0")
    assert chosen(deployment("1.1", first), []) == "1.0"


def test_a_second_rollback_undoes_the_first():
    first = deployment("1.0")
    second = deployment("1.1", first)
    back = deployment("1.0", second)
    assert chosen(back, [replica_set(back), replica_set(second)]) == "1.1"


def test_a_first_release_has_no_previous_release():
    first = deployment("1.0")
    with pytest.raises(ManifestError, match="There is no other release to return to"):
        chosen(first, [replica_set(first)])


def test_objects_without_our_annotations_are_skipped(three):
    live, sets = three
    foreign = {"metadata": {"annotations": {"deployment.kubernetes.io/revision": "1"}}}
    assert len(rollback.past_releases(live, [foreign, {"metadata": {}}, *sets])) == 2


def test_the_manifest_is_the_recorded_one_with_the_requested_environment(three):
    live, sets = three
    found = rollback.past_releases(live, sets)[0].manifest_for("prod")
    assert (found.version, found.environment, found.component) == ("1.1", "prod", "pricing")


def test_an_unknown_key_suggests_the_nearest_known_key():
    with pytest.raises(ManifestError, match="did you mean 'version'"):
        rollback.parse(ASKED | {"verison": "1"})


@pytest.mark.parametrize("version", [None, "", "  "])
def test_a_blank_version_counts_as_missing(version):
    assert rollback.parse(ASKED | {"version": version}).version is None
