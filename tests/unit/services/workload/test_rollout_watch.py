"""A rollout is followed through an outage of the API server."""

from __future__ import annotations

import logging

import pytest
from manifest_engine.domain.core.errors import ClusterError, StateError
from manifest_engine.domain.release import annotations as annotation
from manifest_engine.domain.workload.rollout import Done, Waiting
from manifest_engine.services.workload import rollout_watch
from manifest_engine.services.workload.rollout_watch import RolloutWatch

DONE = {
    "metadata": {"generation": 2},
    "spec": {"replicas": 1},
    "status": {
        "observedGeneration": 2,
        "updatedReplicas": 1,
        "replicas": 1,
        "availableReplicas": 1,
    },
}


class Cluster:
    """Each watch raises or yields the next item of a list."""

    def __init__(self, *answers):
        self.answers = list(answers)

    def watch(self, *_what, seconds):
        assert seconds > 0
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        yield "MODIFIED", answer

    def get(self, *_what):
        return self.answers[-1]


class NoPods(Cluster):
    """A cluster whose namespace has no pods, ReplicaSets or events."""

    def find(self, *_what, **_how):
        return []


@pytest.fixture
def follow(monkeypatch):
    monkeypatch.setattr(rollout_watch, "AWAY_SECONDS", 0.01)

    def run(*answers, seconds=5.0, **release):
        log = logging.getLogger("test")
        return RolloutWatch(Cluster(*answers), "here", "quotes", log).follow(2, seconds, **release)

    return run


def away():
    return ClusterError("The API server could not be reached.", retryable=True)


def test_the_watch_continues_after_an_api_server_outage(follow):
    assert follow(away(), away(), DONE) == Done(1)


def test_an_api_server_outage_is_logged_once(follow, caplog):
    follow(away(), away(), away(), DONE)
    assert [record.getMessage() for record in caplog.records] == [
        "The rollout of quotes cannot be seen: The API server could not be reached."
    ]


def test_an_outage_until_the_deadline_leaves_the_rollout_waiting(follow):
    assert isinstance(follow(away(), seconds=0.05), Waiting)


def test_a_refused_request_is_raised_at_once(follow):
    with pytest.raises(ClusterError, match="may not watch"):
        follow(ClusterError("The account may not watch deployments.apps.", retryable=False))


def of_release(release_hash, generation=2):
    notes = {
        annotation.RELEASE_HASH: release_hash,
        annotation.RUN_ID: "other",
        annotation.REQUESTED_BY: "bob",
    }
    metadata = {"generation": generation, "annotations": notes}
    return DONE | {
        "metadata": metadata,
        "status": DONE["status"] | {"observedGeneration": generation},
    }


def test_another_live_release_is_not_taken_for_the_release_of_this_run(follow):
    with pytest.raises(StateError, match="live is that of run other, asked for by bob"):
        follow(of_release("another", 3), release_hash="mine")


def test_another_run_may_have_applied_the_same_release(follow):
    assert follow(of_release("mine", 3), release_hash="mine") == Done(1)


def test_an_event_from_before_the_apply_is_ignored(follow):
    assert follow(of_release("before"), of_release("mine"), release_hash="mine") == Done(1)


class Denied(Cluster):
    """The newest pod cannot pull; events count the pulls without the pull secret."""

    def __init__(self, times):
        super().__init__(DONE | {"spec": {"replicas": 1, "selector": {"matchLabels": {"a": "b"}}}})
        waiting = {"reason": "ImagePullBackOff", "message": "401 Unauthorized"}
        self.objects = {
            "ReplicaSet": {"metadata": {"uid": "newest"}},
            "Pod": {
                "metadata": {"name": "p", "ownerReferences": [{"uid": "newest"}]},
                "status": {"containerStatuses": [{"image": "i", "state": {"waiting": waiting}}]},
            },
            "Event": {
                "reason": "FailedToRetrieveImagePullSecret",
                "count": times,
                "involvedObject": {"name": "p"},
            },
        }

    def find(self, _version, kind, *_where, **_which):
        return [self.objects[kind]]


@pytest.mark.parametrize(("times", "final"), [(1, False), (2, True)])
def test_a_retried_image_pull_does_not_fail_the_release(times, final):
    cluster = Denied(times)
    watch = RolloutWatch(cluster, "here", "quotes", logging.getLogger("test"))
    assert watch.finding(cluster.answers[0]).final is final


def test_a_lost_lease_ends_the_watch():
    def lost():
        raise StateError("Another deployment has taken the lease.")

    log = logging.getLogger("test")
    watch = RolloutWatch(Cluster(DONE), "here", "quotes", log)
    watch.on_look = lost
    with pytest.raises(StateError, match="has taken the lease"):
        watch.follow(2, 5.0)


def test_the_reason_why_no_pod_is_created_is_logged_and_handed_on_once(caplog):
    """No pod exists whose state could show it."""
    message = 'pods "q-1" is forbidden: exceeded quota: team, used: limits.cpu=2'
    condition = {"type": "ReplicaFailure", "status": "True", "message": message}
    refused = {
        "metadata": {"generation": 2},
        "spec": {"replicas": 1, "selector": {"matchLabels": {"app": "q"}}},
        "status": {"observedGeneration": 2, "conditions": [condition]},
    }
    handed_on: list[str] = []
    watch = RolloutWatch(NoPods(refused), "here", "quotes", logging.getLogger("test"))
    watch.on_pending = handed_on.append
    watch.look(2)
    watch.look(2)
    logged = [line for line in caplog.messages if "exceeded quota" in line]
    assert len(logged) == len(handed_on) == 1
    assert logged[0].startswith("No new pods of quotes: the namespace's quota is used up: ")
    assert handed_on[0] in logged[0]
