"""A failed publication restores the former route, unless another run holds the lease."""

from __future__ import annotations

import logging
from types import SimpleNamespace

import pytest
from manifest_engine.domain.core.errors import Cancelled, ClusterError, RouteConflict, StateError
from manifest_engine.domain.release import annotations as annotation
from manifest_engine.domain.route.public_answer import Answer
from manifest_engine.hooks.route import public_url
from manifest_engine.operators.route.publish_route import PublishRoute
from manifest_engine.services.route import acceptance as route_acceptance
from manifest_engine.services.route import change as route_change
from manifest_engine.services.route import check as route_check
from manifest_engine.services.route import claims as route_claims

from tests.unit.domain.release.releases import make_release

RELEASE = make_release()
LOST = StateError("Another deployment has taken the lease.")


class Lease:
    """``lost_at`` is the number of renewals before another run acquires the lease."""

    removal = None

    def __init__(self, lost_at=1000):
        self.left = lost_at

    def acquire(self):
        return None

    def renew(self):
        self.left -= 1
        self.hold()

    def hold(self):
        if self.left <= 0:
            raise LOST

    def release(self):
        pass


class Change:
    is_needed = False
    """Records the call of ``give_up``."""

    problem: Exception | None = None

    def __init__(self, *_what, **_how):
        self.done = []
        Change.last = self

    def begin(self):
        return {"apiVersion": "v1", "kind": "HTTPRoute", "metadata": {"name": "quotes"}}

    def switch(self):
        return False

    def finish(self):
        self.done.append("finished")

    def give_up(self):
        if self.problem:
            raise self.problem
        self.done.append("given up")
        return "The route is as it was."


class Workload:
    """The live Deployment belongs to a release that follows an earlier release."""

    def __init__(self, done, annotations):
        self.done = done
        self.annotations = annotations
        self.hook = SimpleNamespace(log=logging.getLogger("test"))

    def live(self):
        return {"metadata": {"annotations": self.annotations}}

    def roll_back_run(self, run_id, **how):
        assert run_id == RELEASE.run_id
        Change.last.done.append(("taken back", *how.values()))
        return "Rolled back to version 1."


@pytest.fixture
def publish(monkeypatch):
    """Runs the step with the given outcome of the wait for the Gateway."""

    def run(outcome, lease, *, undo=None, try_number=1, annotations=None, answer=503):
        def await_acceptance(_hook, _applied, _release, on_look):
            on_look()
            if outcome:
                raise outcome

        monkeypatch.setattr(Change, "problem", undo)
        monkeypatch.setattr(route_claims, "refuse_taken", lambda *_what: {"kind": "HTTPRoute"})
        monkeypatch.setattr(route_change, "RouteChange", Change)
        monkeypatch.setattr(route_acceptance, "await_acceptance", await_acceptance)
        monkeypatch.setattr(route_acceptance, "diagnosis", lambda *_what: "")
        monkeypatch.setattr(route_check, "ANSWER_SECONDS", 0.2)
        monkeypatch.setattr(public_url, "get", lambda *_what: Answer(answer, "starting"))
        task = PublishRoute(task_id="publish_route", release=RELEASE.dump())
        service = Workload(Change, annotations or {}), lease
        monkeypatch.setattr(task, "service", lambda _release: service)
        task.run({"ti": SimpleNamespace(try_number=try_number, max_tries=3)})

    return run


PUT_BACK = ["given up", ("taken back",)]
SAID = r" The route is as it was\. Rolled back to version 1\.$"


def test_a_refused_route_restores_route_and_workload(publish):
    with pytest.raises(RouteConflict, match=r"The gateway refuses it\." + SAID) as raised:
        publish(RouteConflict("The gateway refuses it."), Lease())
    assert not raised.value.retryable
    assert Change.last.done == PUT_BACK


@pytest.mark.parametrize(
    "outcome", [ClusterError("It died.", retryable=True), ValueError("half an answer")]
)
def test_a_retryable_error_restores_nothing_before_the_last_try(publish, outcome):
    with pytest.raises(type(outcome)) as raised:
        publish(outcome, Lease())
    assert raised.value is outcome
    assert Change.last.done == []


@pytest.mark.parametrize(
    "outcome", [ClusterError("It died.", retryable=True), ValueError("half an answer")]
)
def test_the_last_try_restores_route_and_workload_after_any_error(publish, outcome):
    with pytest.raises(type(outcome)):
        publish(outcome, Lease(), try_number=4)
    assert Change.last.done == PUT_BACK


def test_a_wrong_answer_restores_an_earlier_release_at_once(publish):
    with pytest.raises(RouteConflict, match="503 instead of 200.*" + SAID) as raised:
        publish(None, Lease())
    assert not raised.value.retryable
    assert Change.last.done == PUT_BACK


def test_a_wrong_answer_of_a_first_release_is_retried_before_it_is_removed(publish):
    with pytest.raises(RouteConflict, match="503 instead of 200") as raised:
        publish(None, Lease(), annotations={annotation.FIRST: "true"})
    assert raised.value.retryable
    assert Change.last.done == []


def test_a_missing_answer_is_retried_because_an_earlier_release_would_not_answer_either(publish):
    with pytest.raises(RouteConflict, match="no answer") as raised:
        publish(None, Lease(), answer=None)
    assert raised.value.retryable
    assert Change.last.done == []


def test_a_failed_restore_is_reported_beside_the_cause(publish):
    said = r"refuses it\. The route could not be put back: It is away\. Rolled back to version 1\."
    with pytest.raises(RouteConflict, match=said):
        publish(RouteConflict("It refuses it."), Lease(), undo=ClusterError("It is away."))


@pytest.mark.parametrize("looks", [1, 2])
def test_the_route_of_a_run_that_acquired_the_lease_is_left_alone(publish, looks):
    with pytest.raises(StateError, match="has taken the lease"):
        publish(None, Lease(lost_at=looks))
    assert Change.last.done == []


def test_a_failure_after_losing_the_lease_restores_nothing(publish):
    lease = Lease()
    lease.hold = lambda: (_ for _ in ()).throw(LOST)
    lease.renew = lambda: None
    with pytest.raises(RouteConflict, match="refuses it"):
        publish(RouteConflict("The gateway refuses it."), lease)
    assert Change.last.done == []


def test_a_cancelled_publication_restores_without_following_the_rollout(publish):
    with pytest.raises(Cancelled, match="cancelled\\." + SAID):
        publish(Cancelled("The task was cancelled."), Lease())
    assert Change.last.done == ["given up", ("taken back", 0)]
