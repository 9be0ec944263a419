"""Retries at a registry that is busy, broken or unreachable end at a deadline."""

from __future__ import annotations

import time

import pytest
from manifest_engine.domain.core.errors import RegistryError
from manifest_engine.hooks.builder.buildx import Login
from manifest_engine.hooks.core import retrying
from manifest_engine.hooks.registry.acr import AcrHook
from manifest_engine.hooks.registry.api import RegistryApi
from manifest_engine.hooks.registry.auth import PasswordIdentity

from tests.unit.hooks.registry.registry_server import (
    PASSWORD,
    REPOSITORY,
    USER,
    Fault,
    RegistryServer,
)


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Records the seconds that the hook waits between tries, and skips the waits."""
    waited: list[float] = []
    monkeypatch.setattr(retrying, "sleep", waited.append)
    return waited


def test_too_many_requests_waits_as_long_as_retry_after_says(
    server: RegistryServer, hook: AcrHook, pauses: list[float]
) -> None:
    server.faults = [Fault(429, {"Retry-After": "7"})]
    hook.api.check()
    assert pauses == [7.0]


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_server_error_is_tried_again_after_growing_pauses(
    server: RegistryServer, hook: AcrHook, pauses: list[float], status: int
) -> None:
    server.faults = [Fault(status), Fault(status)]
    hook.api.check()
    first, second = pauses
    assert 0 <= first <= 0.5
    assert 0 <= second <= 1


def test_retries_of_a_broken_registry_end_at_the_deadline(server: RegistryServer) -> None:
    server.faults = [Fault(503)] * 1000
    identity = PasswordIdentity(Login(USER, PASSWORD))
    api = RegistryApi(f"http://{server.host}", identity, verify=True, deadline_seconds=0.6)
    begin = time.monotonic()
    with pytest.raises(RegistryError, match="could not be reached for 1 s: HTTP 503") as caught:
        api.check()
    assert caught.value.retryable
    assert time.monotonic() - begin < 5


def test_a_wait_beyond_the_deadline_is_not_begun(server: RegistryServer) -> None:
    server.faults = [Fault(429, {"Retry-After": "3600"})]
    identity = PasswordIdentity(Login(USER, PASSWORD))
    api = RegistryApi(f"http://{server.host}", identity, verify=True, deadline_seconds=5)
    begin = time.monotonic()
    with pytest.raises(RegistryError) as caught:
        api.check()
    assert caught.value.retryable
    assert time.monotonic() - begin < 4


def test_an_unreachable_registry_is_retryable() -> None:
    identity = PasswordIdentity(Login(USER, PASSWORD))
    api = RegistryApi("http://127.0.0.1:9", identity, verify=True, deadline_seconds=0.5)
    with pytest.raises(RegistryError, match="Connection refused") as caught:
        api.check()
    assert caught.value.retryable


def test_wait_for_returns_a_tag_that_a_replica_receives_later(
    server: RegistryServer, hook: AcrHook
) -> None:
    digest = server.put(REPOSITORY, "1.4.0", {}, indexed=False)
    server.appears_after = 3
    found = hook.api.wait_for(REPOSITORY, "1.4.0", seconds=10)
    assert found is not None
    assert found.digest == digest
