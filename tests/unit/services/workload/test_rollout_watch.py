"""A rollout is followed also while the API server is away."""

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
    """Each watch raises or yields what is next in the list."""

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


@pytest.fixture
def follow(monkeypatch):
    monkeypatch.setattr(rollout_watch, "AWAY_SECONDS", 0.01)

    def run(*answers, seconds=5.0, **release):
        log = logging.getLogger("test")
        return RolloutWatch(Cluster(*answers), "here", "quotes", log).follow(2, seconds, **release)

    return run


def away():
    return ClusterError("The API server could not be reached.", retryable=True)


def test_an_api_server_that_comes_back_shows_the_end(follow):
    assert follow(away(), away(), DONE) == Done(1)


def test_that_it_is_away_is_told_once(follow, caplog):
    follow(away(), away(), away(), DONE)
    assert [record.getMessage() for record in caplog.records] == [
        "The rollout of quotes cannot be seen: The API server could not be reached."
    ]


def test_one_that_stays_away_leaves_the_rollout_to_the_triggerer(follow):
    assert isinstance(follow(away(), seconds=0.05), Waiting)


def test_a_refusal_is_told_at_once(follow):
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


def test_a_release_that_is_live_instead_is_never_taken_for_the_own_one(follow):
    with pytest.raises(StateError, match="live is that of run other, asked for by bob"):
        follow(of_release("another", 3), release_hash="mine")


def test_another_run_may_have_applied_the_same_release(follow):
    assert follow(of_release("mine", 3), release_hash="mine") == Done(1)


def test_a_watch_that_begins_before_the_release_was_applied_is_not_believed(follow):
    assert follow(of_release("before"), of_release("mine"), release_hash="mine") == Done(1)


class Denied(Cluster):
    """Its newest pod pulls in vain, and the events say how often it did without the pull secret."""

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
def test_a_release_is_not_given_up_for_a_pull_that_is_tried_again(times, final):
    cluster = Denied(times)
    watch = RolloutWatch(cluster, "here", "quotes", logging.getLogger("test"))
    assert watch.finding(cluster.answers[0]).final is final


def test_a_lease_that_is_lost_ends_the_watch():
    def lost():
        raise StateError("Another deployment has taken the lease.")

    log = logging.getLogger("test")
    watch = RolloutWatch(Cluster(DONE), "here", "quotes", log)
    watch.on_look = lost
    with pytest.raises(StateError, match="has taken the lease"):
        watch.follow(2, 5.0)
