"""Tokens of the registry: requested, cached, renewed, and sent only to trusted URLs."""

from __future__ import annotations

import pytest
from manifest_engine.domain.core.errors import RegistryError
from manifest_engine.hooks.builder.buildx import Login
from manifest_engine.hooks.registry.acr import AcrHook
from manifest_engine.hooks.registry.api import RegistryApi
from manifest_engine.hooks.registry.auth import (
    ZERO_USER,
    Challenge,
    EntraIdentity,
    PasswordIdentity,
    expiry,
)
from manifest_engine.hooks.registry.http import RegistryHttp

from tests.unit.hooks.registry.registry_server import (
    ENTRA_TOKEN,
    PASSWORD,
    REPOSITORY,
    TENANT,
    USER,
    RegistryServer,
)


@pytest.fixture
def entra(server: RegistryServer) -> RegistryApi:
    identity = EntraIdentity(lambda: ENTRA_TOKEN, TENANT)
    return RegistryApi(f"http://{server.host}", identity, verify=True)


def test_one_token_serves_all_requests_of_its_scope(server: RegistryServer, hook: AcrHook) -> None:
    server.put(REPOSITORY, "1.4.0", {}, indexed=False)
    for _ in range(3):
        hook.api.find(REPOSITORY, "1.4.0")
    assert server.count("/oauth2/token") == 1


def test_an_expired_token_is_renewed(server: RegistryServer, hook: AcrHook) -> None:
    server.put(REPOSITORY, "1.4.0", {}, indexed=False)
    hook.api.find(REPOSITORY, "1.4.0")
    server.revoke()
    assert hook.api.find(REPOSITORY, "1.4.0") is not None


def test_an_entra_identity_is_exchanged_at_the_realm_s_authority(
    server: RegistryServer, entra: RegistryApi
) -> None:
    server.put(REPOSITORY, "1.4.0", {"a": "b"}, indexed=False)
    found = entra.find(REPOSITORY, "1.4.0")
    assert found is not None
    login = entra.login()
    assert login.username == ZERO_USER
    assert server.knows_refresh(login.password)
    assert server.count("/oauth2/exchange") == 1


def test_a_refresh_token_is_renewed_before_it_expires(
    server: RegistryServer, entra: RegistryApi
) -> None:
    server.refresh_seconds = 500
    first, second = entra.login(), entra.login()
    assert first.password != second.password
    assert server.count("/oauth2/exchange") == 2


def test_an_entra_identity_without_permission_is_an_error(server: RegistryServer) -> None:
    identity = EntraIdentity(lambda: "token-of-another", TENANT)
    api = RegistryApi(f"http://{server.host}", identity, verify=True)
    with pytest.raises(RegistryError, match="or the Entra ID identity"):
        api.check()


def test_a_login_is_not_sent_from_https_to_http() -> None:
    identity = PasswordIdentity(Login(USER, PASSWORD))
    api = RegistryHttp("https://registry.example.com", identity, verify=True, deadline_seconds=60)
    with pytest.raises(RegistryError, match="which is not https; it is not sent there"):
        api._accept(Challenge("http://elsewhere.example.com/token", "", ""))


def test_only_a_bearer_challenge_asks_for_a_token() -> None:
    assert Challenge.parse('Basic realm="x"') is None
    assert Challenge.parse('Bearer realm="https://a/t",service="b",scope="c:d:e,f"') == Challenge(
        "https://a/t", "b", "c:d:e,f"
    )


@pytest.mark.parametrize("token", ["", "a.b", "a.!!.c", "a.e30.c", "a.W10.c"])
def test_a_token_without_expiry_has_none(token: str) -> None:
    assert expiry(token) is None


def test_the_login_for_docker_needs_no_second_challenge(
    server: RegistryServer, hook: AcrHook
) -> None:
    hook.api.find(REPOSITORY, "1.4.0")
    asked = len(server.requests)
    hook.docker_login()
    assert len(server.requests) == asked
