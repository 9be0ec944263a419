"""Outages of the registry: a push waits or gives up in time, and delays no other push."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from manifest_engine.domain.core.errors import RegistryError
from manifest_engine.hooks.builder.hook import BuilderHook
from manifest_engine.hooks.registry.acr import AcrHook

from tests.integration.image.push import outage
from tests.integration.image.push.test_push import SMALL

if TYPE_CHECKING:
    from manifest_engine.hooks.builder.buildx import Login

    from tests.integration.image.conftest import Service
    from tests.integration.image.push.outage import Door

AWAY_SECONDS = 3.0
SLOTS = 5
"""Number of layers that an engine pushes at the same time."""


@pytest.fixture
def door(lead_to: Callable[[str], None]) -> Iterator[Door]:
    with outage.door() as made:
        lead_to(made.host)
        yield made


def test_a_push_waits_for_a_registry_that_comes_back(service: Service, door: Door) -> None:
    built = service.build(service.zip(**SMALL))
    door.shut()
    back = threading.Timer(AWAY_SECONDS, door.open)
    back.start()
    begin = time.monotonic()
    pushed = service.push(built)
    assert AWAY_SECONDS < time.monotonic() - begin < 10 * AWAY_SECONDS
    found = AcrHook().api.find(f"datafactory/tests/{service.name}", "1.0.0")
    assert found is not None
    assert found.digest == pushed["digest"]


def push(image: str, login: Login) -> float:
    """Push, and return the seconds."""
    begin = time.monotonic()
    with BuilderHook() as builder:
        builder.push(image, login, deadline_seconds=60)
    return time.monotonic() - begin


def test_pushes_to_an_unreachable_registry_end_and_delay_no_other_push(
    service: Service, door: Door, sandbox: dict[str, str]
) -> None:
    service.build(service.zip(**SMALL))
    image, login = service.plan().image, AcrHook().docker_login()
    elsewhere = image.replace(door.host, sandbox["REGISTRY"])
    with BuilderHook() as builder:
        builder.tag(image, elsewhere)
    door.shut()
    with ThreadPoolExecutor(SLOTS + 1) as pool:
        bad = [pool.submit(push, image, login) for _ in range(SLOTS)]
        time.sleep(0.2)
        assert pool.submit(push, elsewhere, login).result() < 10
        problems = [one.exception() for one in bad]
    for problem in problems:
        assert isinstance(problem, RegistryError)
        assert problem.retryable
        assert "connection refused" in str(problem)
    door.open()
    assert push(image, login) < 20
