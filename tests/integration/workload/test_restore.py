"""A release whose route fails: route and workload are restored."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import pytest
from manifest_engine.domain.core.errors import RouteConflict
from manifest_engine.domain.release import annotations as annotation
from manifest_engine.domain.route import switch as route_switch
from manifest_engine.services.route import check as route_check

from tests.integration.names import NAME

UNREACHABLE: dict[str, Any] = {
    "version": "2", "env": {"TEXT": "second"}, "route": {"stripPrefix": False},
}  # fmt: skip
"""The service answers 404 below its prefix, and the smoke test in the pod does not see that."""


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(route_check, "ANSWER_SECONDS", 2.0)


@pytest.fixture
def live(apply: Any, publish: Any, make_release: Any) -> Callable[..., Any]:
    def deploy(**fields: Any) -> Any:
        release = make_release(**fields)
        apply(release)
        publish(release)
        return release

    return deploy


def answer(release: Any) -> str:
    with urllib.request.urlopen(release.url + "/health", timeout=5) as got:
        return str(got.read().decode())


def seen(get: Any) -> tuple[Any, ...]:
    route, deployment = get(f"httproute/{NAME}"), get(f"deployment/{NAME}")
    return route_switch.as_applied(route), deployment["spec"]["template"]


def test_route_and_workload_are_restored_when_the_route_does_not_answer(
    apply, publish, make_release, live, get
):
    first = live(env={"TEXT": "first"})
    before = seen(get)
    second = make_release(**UNREACHABLE)
    apply(second)

    said = r"answers 404.*The route is as it was\. Rolled back to version 1, which is serving\.$"
    with pytest.raises(RouteConflict, match=said) as raised:
        publish(second)

    assert not raised.value.retryable
    assert seen(get) == before
    assert answer(first).startswith("first from /health")


def die(*_what: Any) -> int:
    raise KeyboardInterrupt


def test_a_retry_restores_the_state_before_a_killed_try(apply, publish, make_release, live, get):
    first = live(env={"TEXT": "first"})
    before = seen(get)
    second = make_release(**UNREACHABLE)
    apply(second)
    with patch.object(route_check, "await_answer", die), pytest.raises(KeyboardInterrupt):
        publish(second)
    assert annotation.FORMER_ROUTES in annotation.read_annotations(get(f"httproute/{NAME}"))

    with pytest.raises(RouteConflict, match="Rolled back to version 1"):
        publish(second)

    assert seen(get) == before
    assert answer(first).startswith("first from /health")


def test_a_first_release_that_cannot_be_published_is_removed(apply, publish, make_release, get):
    release = make_release(**UNREACHABLE)
    apply(release)

    with pytest.raises(RouteConflict, match=r"The route is removed\. It was the first release"):
        publish(release)

    assert get("deployments,services,httproutes,poddisruptionbudgets") is None


def test_a_verified_route_keeps_no_record_of_the_former_one(live, get):
    live(env={"TEXT": "first"})
    live(version="2", env={"TEXT": "second"}, healthPath="/")
    assert annotation.FORMER_ROUTES not in annotation.read_annotations(get(f"httproute/{NAME}"))
