"""Which run may deploy a service."""

from datetime import UTC, datetime, timedelta

import pytest
from manifest_engine.domain.core.errors import StateError
from manifest_engine.domain.lease import lease, superseded

from tests.unit.domain.release.releases import ARTIFACT, DIGEST, make_release

NOW = datetime(2026, 1, 2, 3, 4, 5, 600_000, tzinfo=UTC)


def taken():
    return lease.desired("pricing-quotes", "apps", "run-1", "ada", NOW)


def test_a_held_lease_names_its_holder_and_time():
    text = str(lease.holder(taken()))
    assert text == "run run-1, asked for by ada, since 2026-01-02T03:04:05.600000Z"


@pytest.mark.parametrize(("seconds", "free"), [(0, False), (70, False), (76, True)])
def test_a_holder_is_dead_after_the_duration_plus_clock_skew(seconds, free):
    assert lease.is_free(taken(), NOW + timedelta(seconds=seconds)) is free


@pytest.mark.parametrize("found", [None, {}, {"spec": {}}, {"spec": {"holderIdentity": ""}}])
def test_a_lease_without_a_holder_is_free(found):
    assert lease.is_free(found, NOW)


def live(**fields):
    from manifest_engine.domain.workload import resources

    return resources.workload(make_release(**fields), DIGEST, ARTIFACT)[0]


def later(release, seconds):
    return release.model_copy(
        update={"requested_at": release.requested_at + timedelta(seconds=seconds)}
    )


def test_a_run_requested_before_the_live_release_is_superseded():
    with pytest.raises(StateError, match="superseded: run-2"):
        superseded.refuse(later(make_release(), -1), live(run_id="run-2"))


def test_a_later_run_and_a_retry_of_the_live_run_are_not_superseded():
    superseded.refuse(later(make_release(), 1), live(run_id="run-2"))
    superseded.refuse(later(make_release(), -1), live(run_id="run-1"))
    superseded.refuse(make_release(), None)


REMOVAL = lease.Tombstone("removal-1", "bob", NOW)


def test_a_run_requested_before_a_removal_is_superseded():
    older = make_release().model_copy(update={"requested_at": NOW - timedelta(seconds=1)})
    with pytest.raises(StateError, match="superseded: removal-1, asked for later by bob"):
        superseded.refuse(older, None, REMOVAL)


def test_a_run_requested_after_a_removal_and_the_removal_itself_are_not_superseded():
    newer = make_release().model_copy(update={"requested_at": NOW + timedelta(seconds=1)})
    superseded.refuse(newer, None, REMOVAL)
    mine = make_release(run_id="removal-1").model_copy(
        update={"requested_at": NOW - timedelta(seconds=1)}
    )
    superseded.refuse(mine, None, REMOVAL)


def test_a_lease_carries_the_record_of_a_removal():
    marked = lease.with_tombstone(taken(), REMOVAL)
    assert lease.tombstone(marked) == REMOVAL
    assert lease.holder(marked) == lease.holder(taken())
    assert lease.is_free(lease.released(marked), NOW)
    assert lease.tombstone(lease.released(marked)) == REMOVAL


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"runId": "x", "requestedBy": "y"}', "null"])
def test_a_damaged_record_of_a_removal_is_no_removal(text):
    damaged = taken()
    damaged["metadata"]["annotations"]["manifest-engine.io/removed"] = text
    assert lease.tombstone(damaged) is None
