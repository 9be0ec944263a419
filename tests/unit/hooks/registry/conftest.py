"""A double of the registry, and hooks for Connections to it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from manifest_engine.hooks.registry.acr import AcrHook

from tests.unit.hooks.registry.registry_server import PASSWORD, USER, RegistryServer


@pytest.fixture
def server() -> Iterator[RegistryServer]:
    made = RegistryServer()
    yield made
    made.shutdown()
    made.server_close()


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Callable[..., AcrHook]:
    """Creates an AcrHook for a Connection with these fields."""
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)

    def make(**fields: Any) -> AcrHook:
        monkeypatch.setenv("AIRFLOW_CONN_ACR_TEST", json.dumps({"conn_type": "acr", **fields}))
        return AcrHook("acr_test")

    return make


@pytest.fixture
def hook(server: RegistryServer, connect: Callable[..., AcrHook]) -> AcrHook:
    return connect(host=f"http://{server.host}", login=USER, password=PASSWORD)
