"""ACR's refusals and our hook's errors, in front of the sandbox's real registry."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
from manifest_engine.domain.core.errors import RegistryError
from manifest_engine.hooks.registry.acr import AcrHook

from sandbox.core.settings import SETTINGS
from sandbox.services.azure import entra
from sandbox.services.registry.registry import login
from tests.integration.names import COMPONENT
from tests.integration.servers import free_port
from tests.integration.standins.conftest import running

REPOSITORY = f"datafactory/{COMPONENT}/service"


@pytest.fixture(scope="module")
def front(sandbox: dict[str, str]) -> Iterator[str]:
    port = free_port()
    words = ("--registry", f"https://{SETTINGS.registry}", "--ca", SETTINGS.ca)
    tokens = f"https://{SETTINGS.pod_gateway}:{SETTINGS.token_port}"
    with running("registry.front", port, *words, "--tokens", tokens):
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
def switch(front: str) -> Iterator[Callable[..., None]]:
    def put(**faults: Any) -> None:
        requests.put(f"{front}/_faults", json=faults, timeout=5).raise_for_status()

    yield put
    put()


@pytest.fixture
def by_entra(front: str, monkeypatch: pytest.MonkeyPatch) -> AcrHook:
    client = entra.identity()["clients"][0]
    extra = {
        "auth": "service_principal",
        "tenant_id": entra.identity()["tenant"],
        "authority": entra.authority(),
        "disable_instance_discovery": True,
        "verify": str(SETTINGS.ca),
    }
    fields = {"login": client["client_id"], "password": client["secret"], "extra": extra}
    return _hook(monkeypatch, front, fields)


@pytest.fixture
def by_password(front: str, monkeypatch: pytest.MonkeyPatch) -> AcrHook:
    return _hook(monkeypatch, front, {"login": login()["user"], "password": login()["password"]})


@pytest.fixture
def by_registry(monkeypatch: pytest.MonkeyPatch) -> AcrHook:
    """The registry itself, which has no referrers API."""
    fields = {
        "login": login()["user"],
        "password": login()["password"],
        "extra": {"verify": str(SETTINGS.ca)},
    }
    return _hook(monkeypatch, f"https://{SETTINGS.registry}", fields, "acr_behind")


def _hook(
    monkeypatch: pytest.MonkeyPatch, host: str, fields: dict[str, Any], conn_id: str = "acr_front"
) -> AcrHook:
    given = {"conn_type": "acr", "host": host, **fields}
    monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(given))
    return AcrHook(conn_id, deadline_seconds=20)


def refused(hook: AcrHook) -> str:
    with pytest.raises(RegistryError) as caught:
        hook.api.find(REPOSITORY, "1")
    assert not caught.value.retryable
    return str(caught.value)


def test_without_faults_both_identities_read_an_image(digest, by_entra, by_password):
    for hook in (by_entra, by_password):
        found = hook.api.find(REPOSITORY, "1")
        assert found is not None
        assert found.digest == digest
        hook.api.check()
        assert hook.api.granted(REPOSITORY) == {"pull", "push"}


def test_a_refusal_of_the_firewall_is_named_with_our_address(by_entra, switch):
    switch(firewall=True)
    assert "client with IP '127.0.0.1'" in refused(by_entra)
    assert "add the address under Networking" in refused(by_entra)


def test_in_an_abac_registry_the_required_role_is_named(by_entra, switch):
    switch(abac=True)
    by_entra.api.check()  # the login is correct
    assert "'Container Registry Repository Writer'" in refused(by_entra)
    assert "the login is right but may not do this" in refused(by_entra)


def test_with_a_password_the_same_answer_has_two_possible_causes(by_password, switch):
    switch(abac=True)
    assert "does not say which of two causes" in refused(by_password)


def test_throttling_ends_after_retry_after(digest, by_entra, switch):
    switch(throttled=2)
    assert by_entra.api.find(REPOSITORY, "1") is not None


def test_a_locked_tag_accepts_no_referrer(digest, by_entra, switch):
    switch(locked=True)
    attached = by_entra.api.referrers(REPOSITORY, digest)
    with pytest.raises(RegistryError, match="is locked") as caught:
        attached.attach("application/vnd.example+json", b"{}")
    assert not caught.value.retryable


def test_a_blob_on_another_host_is_read_without_the_token(digest, by_entra, switch):
    switch(redirect=True)
    assert by_entra.api.find(REPOSITORY, "1") is not None


def test_the_referrers_api_lists_artifacts_without_a_tag(digest, by_entra, by_registry):
    kind = "application/vnd.front+json"
    attached = by_entra.api.referrers(REPOSITORY, digest)
    assert not attached.has(kind)
    attached.attach(kind, b'{"a": 1}')
    assert attached.has(kind)
    assert attached.read(kind) == b'{"a": 1}'
    assert not by_registry.api.referrers(REPOSITORY, digest).has(kind)  # no fallback tag has it


def test_the_referrers_api_lists_artifacts_of_older_clients(digest, by_entra, by_registry):
    by_registry.api.referrers(REPOSITORY, digest).attach("application/vnd.older+json", b"{}")
    assert by_entra.api.referrers(REPOSITORY, digest).has("application/vnd.older+json")
