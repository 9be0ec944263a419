"""A release whose objects the cluster refuses in part is rolled back."""

from __future__ import annotations

import pytest
from manifest_engine.domain.core.errors import ClusterError
from manifest_engine.domain.release import annotations as annotation
from manifest_engine.domain.release import history
from manifest_engine.domain.workload import resources
from manifest_engine.services.workload import failed_rollout

from tests.unit.domain.release.releases import DIGEST, make_release

OBJECTS = resources.workload(make_release(), DIGEST, {})


class Workload:
    """Refuses one object; ``live`` is the Deployment afterwards."""

    def __init__(self, live, *, retryable=False):
        self._live = live
        self._retryable = retryable
        self.taken_back = []

    def apply(self, _objects, _live):
        raise ClusterError("The Service is refused.", retryable=self._retryable)

    def live(self):
        return self._live

    def roll_back(self, objects, *, release_hash):
        self.taken_back.append((objects, release_hash))
        return "Rolled back to version 0.9."


def test_a_partial_apply_is_rolled_back():
    workload = Workload(OBJECTS[0])
    with pytest.raises(ClusterError, match=r"is refused\. Rolled back to version 0\.9\."):
        failed_rollout.apply_or_roll_back(workload, OBJECTS, None)
    assert workload.taken_back == [
        (OBJECTS, annotation.read_annotations(OBJECTS[0])[annotation.RELEASE_HASH])
    ]


@pytest.mark.parametrize(
    ("live", "retryable"),
    [
        (resources.workload(make_release(run_id="before"), DIGEST, {})[0], False),
        (OBJECTS[0], True),
    ],
)
def test_nothing_is_rolled_back_when_nothing_was_applied_or_a_retry_follows(live, retryable):
    workload = Workload(live, retryable=retryable)
    with pytest.raises(ClusterError, match=r"is refused\.$"):
        failed_rollout.apply_or_roll_back(workload, OBJECTS, None)
    assert workload.taken_back == []


def live_release(*, up):
    """The Deployment of the same release, applied by another run."""
    made = history.carry_over(resources.workload(make_release(run_id="before"), DIGEST, {}), None)[
        0
    ]
    reason = "NewReplicaSetAvailable" if up else "ReplicaSetUpdated"
    status = {"updatedReplicas": 2, "conditions": [{"type": "Progressing", "reason": reason}]}
    return made | {"status": status}


@pytest.mark.parametrize("up", [True, False])
def test_a_release_that_was_complete_before_is_not_rolled_back(up):
    live = live_release(up=up)
    workload = Workload(live)
    with pytest.raises(ClusterError, match="The Service is refused"):
        failed_rollout.apply_or_roll_back(workload, history.carry_over(OBJECTS, live), live)
    assert len(workload.taken_back) == (0 if up else 1)
