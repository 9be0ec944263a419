"""A publication that fails puts the former route back, unless the service is another run's now."""

from __future__ import annotations

import logging
from types import SimpleNamespace

import pytest
from manifest_engine.domain.errors import Cancelled, ClusterError, RouteConflict, StateError
from manifest_engine.domain.public_answer import Answer
from manifest_engine.hooks import public_url, route_acceptance, route_change, route_claims
from manifest_engine.operators import route_check
from manifest_engine.operators.publish_route import PublishRoute

from tests.unit.domain.releases import make_release

RELEASE = make_release()
LOST = StateError("Another deployment has taken the lease.")


class Lease:
    """``lost_at`` is how often it can be renewed before another run has taken it."""

    def __init__(self, lost_at=1000):
        self.left = lost_at

    def take(self):
        return None

    def renew(self):
        self.left -= 1
        self.hold()

    def hold(self):
        if self.left <= 0:
            raise LOST

    def give_back(self):
        pass


class Change:
    """Notes that it was given up."""

    problem: Exception | None = None

    def __init__(self, *_what, **_how):
        self.done = []
        Change.last = self

    def begin(self):
        return {"apiVersion": "v1", "kind": "HTTPRoute", "metadata": {"name": "quotes"}}

    def finish(self):
        return False

    def give_up(self):
        self.done.append("given up")
        if self.problem:
            raise self.problem


@pytest.fixture
def publish(monkeypatch):
    """Runs the step where the wait for the gateway ends so."""

    def run(outcome, lease, *, undo=None):
        def await_acceptance(_hook, _applied, _release, on_look):
            on_look()
            if outcome:
                raise outcome

        monkeypatch.setattr(Change, "problem", undo)
        monkeypatch.setattr(route_claims, "refuse_taken", lambda *_what: {"kind": "HTTPRoute"})
        monkeypatch.setattr(route_change, "RouteChange", Change)
        monkeypatch.setattr(route_acceptance, "await_acceptance", await_acceptance)
        monkeypatch.setattr(route_check, "ANSWER_SECONDS", 0.2)
        monkeypatch.setattr(public_url, "get", lambda _url: Answer(503, "starting"))
        hook = SimpleNamespace(get=lambda *_what: None, log=logging.getLogger("test"))
        task = PublishRoute(task_id="publish_route", release=RELEASE.dump())
        service = SimpleNamespace(hook=hook), lease
        monkeypatch.setattr(task, "service", lambda _release: service)
        task.run({})

    return run


@pytest.mark.parametrize(
    "outcome",
    [
        RouteConflict("The gateway refuses it."),
        ClusterError("The API server died.", retryable=True),
        ValueError("half an answer"),
    ],
)
def test_whatever_goes_wrong_the_former_route_is_put_back(publish, outcome):
    with pytest.raises(type(outcome)) as raised:
        publish(outcome, Lease())
    assert raised.value is outcome
    assert Change.last.done == ["given up"]


def test_an_url_that_does_not_answer_puts_it_back_too(publish):
    with pytest.raises(RouteConflict, match="503 instead of 200"):
        publish(None, Lease())
    assert Change.last.done == ["given up"]


def test_what_cannot_be_put_back_does_not_hide_why_it_should_be(publish, capsys):
    with pytest.raises(RouteConflict, match="refuses it"):
        publish(RouteConflict("It refuses it."), Lease(), undo=ClusterError("It is away."))
    assert "could not be put back: It is away." in capsys.readouterr().out


@pytest.mark.parametrize("looks", [1, 2])
def test_the_route_of_a_run_that_has_taken_the_lease_is_left_alone(publish, looks):
    with pytest.raises(StateError, match="has taken the lease"):
        publish(None, Lease(lost_at=looks))
    assert Change.last.done == []


def test_a_lease_found_lost_when_it_fails_leaves_it_alone_too(publish):
    lease = Lease()
    outcome = RouteConflict("The gateway refuses it.")
    lease.hold = lambda: (_ for _ in ()).throw(LOST)
    lease.renew = lambda: None
    with pytest.raises(RouteConflict) as raised:
        publish(outcome, lease)
    assert raised.value is outcome
    assert Change.last.done == []


def test_a_cancelled_publication_ends_where_it_is(publish):
    with pytest.raises(Cancelled):
        publish(Cancelled("The task was cancelled."), Lease())
    assert Change.last.done == []
