"""The target of a rollback, from the annotations in the cluster."""

from __future__ import annotations

import pytest
from manifest_engine.domain.core.errors import ManifestError
from manifest_engine.domain.release import annotations as annotation
from manifest_engine.domain.release import history, past, rollback
from manifest_engine.domain.workload import resources

from tests.unit.domain.release.releases import ARTIFACT, make_release

ASKED = {"component": "pricing", "serviceName": "quotes", "environment": "dev"}
DAY = {"1.0": 1, "1.1": 2, "1.2": 3}


def digest(version):
    return "sha256:" + version[-1] * 64


def objects(version, *, day=0, image="", artifact=ARTIFACT, **fields):
    release = make_release(run_id=f"run-{version}", version=version, **fields)
    asked = release.requested_at.replace(day=day or DAY[version])
    release = release.model_copy(update={"requested_at": asked})
    return resources.workload(release, image or digest(version), artifact)


def deployment(version, before=None, *, up=True, **fields):
    """A live Deployment that was applied over ``before`` and came up, or did not."""
    made = history.carry_over(objects(version, **fields), before)[0]
    reason = "NewReplicaSetAvailable" if up else "ReplicaSetUpdated"
    conditions = [{"type": "Progressing", "reason": reason}]
    made["status"] = {"updatedReplicas": 1, "conditions": conditions}
    return made


def replica_set(a_deployment):
    return {"metadata": {"annotations": a_deployment["metadata"]["annotations"]}}


def chosen(live, replica_sets, version=None):
    request = rollback.parse(ASKED | {"version": version})
    return rollback.choose(request, live, past.past_releases(live, replica_sets)).version


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


def test_a_release_that_was_internal_is_a_step_back_from_the_same_public_one():
    first = deployment("1.0", internal=True)
    second = deployment("1.1", first, internal=False)
    assert chosen(second, [replica_set(first)]) == "1.0"
    assert "other internal" in rollback.choices(second, past.past_releases(second, []))[0]


def test_an_unknown_version_is_refused_with_a_list_of_releases_newest_first(three):
    with pytest.raises(ManifestError) as caught:
        chosen(*three, "0.9")
    assert str(caught.value) == (
        "pricing-quotes has no release '0.9' in the history of the environment 'dev'. Available, "
        "newest first: 1.1 (sha256:111111111111, 2026-01-02 03:04 by ada) with the same code in "
        "another image; 1.0 (sha256:000000000000, 2026-01-01 03:04 by ada) with the same code in "
        "another image."
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
    with pytest.raises(ManifestError, match=r"no earlier release that came up.*1\.1 \(sha256"):
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
    assert len(past.past_releases(live, [foreign, {"metadata": {}}, *sets])) == 2


def test_the_manifest_is_the_recorded_one_with_the_requested_environment(three):
    live, sets = three
    found = past.past_releases(live, sets)[0].manifest_for("prod")
    assert (found.version, found.environment, found.component) == ("1.1", "prod", "pricing")


def test_notes_and_owner_are_no_step_back():
    first = deployment("1.0")
    second = deployment("1.1", first)
    third = deployment("1.1", second, day=3, notes="for the fair", owner="pricing")
    # The notes are no part of the pods, so the third release has the second's ReplicaSet.
    assert chosen(third, [replica_set(first), replica_set(third)]) == "1.0"


def test_a_rebuild_of_the_same_content_is_no_step_back():
    first = deployment("1.0")
    second = deployment("1.1", first)
    rebuilt = deployment("1.1", second, day=3, image="sha256:" + "e" * 64)
    assert chosen(rebuilt, [replica_set(item) for item in (first, second, rebuilt)]) == "1.0"


def test_other_replicas_are_no_step_back():
    first = deployment("1.0")
    second = deployment("1.1", first)
    scaled = deployment("1.1", second, day=3, replicas=5)
    assert chosen(scaled, [replica_set(first), replica_set(scaled)]) == "1.0"


def test_other_variables_and_another_zip_of_the_same_version_are_a_step_back():
    first = deployment("1.0")
    other_env = deployment("1.0", first, day=2, env={"LEVEL": "debug"})
    sets = [replica_set(first), replica_set(other_env)]
    assert chosen(other_env, sets) == "1.0"
    other_zip = deployment(
        "1.0", first, day=2, image="sha256:" + "e" * 64, artifact={"sha256": "b" * 64}
    )
    assert chosen(other_zip, [replica_set(first), replica_set(other_zip)]) == "1.0"


def test_a_template_that_only_the_environment_changed_is_no_step_back():
    first = deployment("1.0")
    second = deployment("1.1", first)
    moved = deployment("1.1", second, day=3, cluster={"nodeSelector": {"pool": "b"}})
    assert chosen(moved, [replica_set(item) for item in (first, second, moved)]) == "1.0"


def test_after_an_automatic_rollback_the_release_before_is_chosen():
    first = deployment("1.0")
    second = deployment("1.1", first)
    failed = deployment("1.2", second, up=False)
    packed = failed["metadata"]["annotations"][annotation.LAST_GOOD]
    restored = history.restore(packed)[0] | {"status": second["status"]}
    assert chosen(restored, [replica_set(item) for item in (first, restored, failed)]) == "1.0"


def test_a_release_without_the_list_of_good_releases_returns_as_before():
    first = deployment("1.0")
    second = deployment("1.1", first)
    for item in (first, second):
        del item["metadata"]["annotations"][annotation.GOOD]
    assert chosen(second, [replica_set(first), replica_set(second)]) == "1.0"
    third = deployment("1.2", second)
    assert chosen(third, [replica_set(item) for item in (first, second, third)]) == "1.1"


def test_the_list_names_the_fields_that_differ_but_no_value(three):
    live = deployment("1.0", env={"TOKEN": "secret-1", "LEVEL": "info"}, healthPath="/alive")
    other = deployment("1.1", env={"TOKEN": "secret-2"}, artifact={"sha256": "b" * 64})
    listed = rollback.choices(live, past.past_releases(live, [replica_set(other)]))
    assert listed == [
        "1.1 (sha256:111111111111, 2026-01-02 03:04 by ada) with other code, other env.LEVEL, "
        "env.TOKEN, healthPath"
    ]


def test_an_unknown_key_suggests_the_nearest_known_key():
    with pytest.raises(ManifestError, match="did you mean 'version'"):
        rollback.parse(ASKED | {"verison": "1"})


@pytest.mark.parametrize("version", [None, "", "  "])
def test_a_blank_version_counts_as_missing(version):
    assert rollback.parse(ASKED | {"version": version}).version is None
