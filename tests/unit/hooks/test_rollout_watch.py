"""A rollout is followed also while the API server is away."""

from __future__ import annotations

import logging

import pytest
from manifest_engine.domain.errors import ClusterError
from manifest_engine.domain.rollout import Done, Waiting
from manifest_engine.hooks import rollout_watch
from manifest_engine.hooks.rollout_watch import RolloutWatch

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


@pytest.fixture
def follow(monkeypatch):
    monkeypatch.setattr(rollout_watch, "AWAY_SECONDS", 0.01)

    def run(*answers, seconds=5.0):
        log = logging.getLogger("test")
        return RolloutWatch(Cluster(*answers), "here", "quotes", log).follow(2, seconds)

    return run


def away():
    return ClusterError("The API server could not be reached.", retryable=True)


def test_an_api_server_that_comes_back_shows_the_end(follow):
    assert follow(away(), away(), DONE) == Done(1)


def test_one_that_stays_away_leaves_the_rollout_to_the_triggerer(follow):
    assert isinstance(follow(away(), seconds=0.05), Waiting)


def test_a_refusal_is_told_at_once(follow):
    with pytest.raises(ClusterError, match="may not watch"):
        follow(ClusterError("The account may not watch deployments.apps.", retryable=False))
