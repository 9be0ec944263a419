"""The wait for the Gateway renews the lease."""

from __future__ import annotations

import logging

import pytest
from manifest_engine.domain.core.errors import RouteConflict, StateError
from manifest_engine.services.route import acceptance as route_acceptance

from tests.unit.domain.release.releases import make_release

ROUTE = {
    "apiVersion": "gateway.networking.k8s.io/v1",
    "kind": "HTTPRoute",
    "metadata": {"name": "pricing-quotes", "namespace": "apps", "generation": 1},
}


class Silent:
    """A Gateway without an answer: each watch takes its time and shows no change."""

    log = logging.getLogger("test")

    def __init__(self, clock):
        self.clock = clock
        self.longest = 0.0

    def watch(self, *_what, seconds):
        self.clock[0] += seconds
        self.longest = max(self.longest, seconds)
        yield "ADDED", ROUTE

    def get(self, *_what):
        return None


@pytest.fixture
def silent(monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(route_acceptance.time, "monotonic", lambda: clock[0])
    return Silent(clock)


def test_the_wait_renews_the_lease_several_times_a_minute(silent):
    looks = []
    with pytest.raises(RouteConflict, match="does not accept the route"):
        route_acceptance.await_acceptance(
            silent, ROUTE, make_release(), lambda: looks.append(silent.clock[0])
        )
    assert silent.longest <= 15
    assert len(looks) >= 4


def test_a_lost_lease_ends_the_wait(silent):
    def lost():
        raise StateError("Another deployment has taken it.")

    with pytest.raises(StateError):
        route_acceptance.await_acceptance(silent, ROUTE, make_release(), lost)
    assert silent.longest == 0
