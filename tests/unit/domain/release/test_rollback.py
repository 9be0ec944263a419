"""The release that a rollback returns to, from the annotations that a cluster keeps."""

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
    """Live, as the API gives it: applied over ``before`` and come up, or not."""
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
    """1.2 is live, after 1.0 and 1.1; and the ReplicaSets of all."""
    first = deployment("1.0")
    second = deployment("1.1", first)
    third = deployment("1.2", second)
    return third, [replica_set(item) for item in (first, third, second)]


def test_without_a_version_it_is_the_release_before(three):
    assert chosen(*three) == "1.1"


@pytest.mark.parametrize("named", ["1.0", digest("1.0"), digest("1.0")[:20], "00000000", " 1.0 "])
def test_a_release_is_named_by_version_or_digest(three, named):
    assert chosen(*three, named) == "1.0"


def test_a_choice_that_does_not_exist_lists_those_that_do_newest_first(three):
    with pytest.raises(ManifestError) as caught:
        chosen(*three, "0.9")
    assert str(caught.value) == (
        "pricing-quotes has no release '0.9' in the history of the environment 'dev'. To return "
        "to, newest first: 1.1 (sha256:111111111111, 2026-01-02 03:04 by ada); 1.0 "
        "(sha256:000000000000, 2026-01-01 03:04 by ada)."
    )


def test_the_live_release_is_no_choice(three):
    with pytest.raises(ManifestError, match=r"1\.2 is live already\. To return to.*1\.1"):
        chosen(*three, "1.2")


def test_six_digits_name_no_digest(three):
    with pytest.raises(ManifestError, match="no release '000000'"):
        chosen(*three, "000000")


def test_a_release_that_failed_in_between_is_not_the_one_before():
    first = deployment("1.0")
    failed = deployment("1.1", first, up=False)
    third = deployment("1.2", failed)
    sets = [replica_set(item) for item in (first, failed, third)]
    assert chosen(third, sets) == "1.0"


def test_what_failed_and_was_rolled_back_by_itself_is_not_the_one_before():
    first = deployment("1.0")
    failed = deployment("1.1", first, up=False)
    with pytest.raises(ManifestError, match=r"no release before the live one.*1\.1 \(sha256"):
        chosen(deployment("1.0"), [replica_set(first), replica_set(failed)])


def test_the_release_before_is_known_without_its_replica_set():
    first = deployment("1.0")
    assert chosen(deployment("1.1", first), []) == "1.0"


def test_a_second_rollback_returns_to_where_the_first_one_came_from():
    first = deployment("1.0")
    second = deployment("1.1", first)
    back = deployment("1.0", second)
    assert chosen(back, [replica_set(back), replica_set(second)]) == "1.1"


def test_a_first_release_has_none_before():
    first = deployment("1.0")
    with pytest.raises(ManifestError, match="There is no other release to return to"):
        chosen(first, [replica_set(first)])


def test_what_no_release_of_ours_left_is_passed_over(three):
    live, sets = three
    foreign = {"metadata": {"annotations": {"deployment.kubernetes.io/revision": "1"}}}
    assert len(rollback.past_releases(live, [foreign, {"metadata": {}}, *sets])) == 2


def test_the_manifest_is_the_recorded_one_for_the_environment_that_was_asked_for(three):
    live, sets = three
    found = rollback.past_releases(live, sets)[0].manifest_for("prod")
    assert (found.version, found.environment, found.component) == ("1.1", "prod", "pricing")


def test_an_unknown_key_suggests_the_right_one():
    with pytest.raises(ManifestError, match="did you mean 'version'"):
        rollback.parse(ASKED | {"verison": "1"})


@pytest.mark.parametrize("version", [None, "", "  "])
def test_an_empty_version_is_none(version):
    assert rollback.parse(ASKED | {"version": version}).version is None
