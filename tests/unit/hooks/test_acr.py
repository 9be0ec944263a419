"""The registry hook against a server that is as strict as the registry."""

from __future__ import annotations

import json
import os
import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import certifi
import pytest
import requests
from manifest_engine.domain.errors import ConfigurationError, RegistryError
from manifest_engine.hooks import retrying
from manifest_engine.hooks.acr import AcrHook
from manifest_engine.hooks.buildx import Login
from manifest_engine.hooks.registry_api import RegistryApi
from manifest_engine.hooks.registry_auth import (
    ZERO_USER,
    Challenge,
    EntraIdentity,
    PasswordIdentity,
    expiry,
)
from manifest_engine.hooks.registry_http import RegistryHttp
from manifest_engine.hooks.registry_session import session

from tests.unit.hooks.registry_server import (
    ENTRA_TOKEN,
    PASSWORD,
    TENANT,
    USER,
    Fault,
    RegistryServer,
)

REPOSITORY = "datafactory/pricing/quote"


@pytest.fixture
def server() -> Iterator[RegistryServer]:
    made = RegistryServer()
    yield made
    made.shutdown()
    made.server_close()


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Callable[..., AcrHook]:
    """An AcrHook over a Connection with these fields."""
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)

    def make(**fields: Any) -> AcrHook:
        monkeypatch.setenv("AIRFLOW_CONN_ACR_TEST", json.dumps({"conn_type": "acr", **fields}))
        return AcrHook("acr_test")

    return make


@pytest.fixture
def hook(server: RegistryServer, connect: Callable[..., AcrHook]) -> AcrHook:
    return connect(host=f"http://{server.host}", login=USER, password=PASSWORD)


@pytest.fixture
def entra(server: RegistryServer) -> RegistryApi:
    identity = EntraIdentity(lambda: ENTRA_TOKEN, TENANT)
    return RegistryApi(f"http://{server.host}", identity, verify=True)


@pytest.mark.parametrize(
    ("fields", "login_server"),
    [
        ({"host": "team.azurecr.io"}, "team.azurecr.io"),
        ({"host": "https://Team.azurecr.io/"}, "team.azurecr.io"),
        ({"host": "registry.example.com:5000"}, "registry.example.com:5000"),
        ({"host": "registry.example.com", "port": 5000}, "registry.example.com:5000"),
    ],
)
def test_the_login_server_is_the_connection_s_host(
    connect: Callable[..., AcrHook], fields: dict[str, Any], login_server: str
) -> None:
    assert connect(**fields).login_server == login_server


def test_a_connection_without_host_says_what_to_enter(connect: Callable[..., AcrHook]) -> None:
    with pytest.raises(ConfigurationError, match="'acr_test' has no host; enter the registry's"):
        _ = connect(login="a").login_server


def test_a_connection_without_identity_says_what_to_enter(connect: Callable[..., AcrHook]) -> None:
    with pytest.raises(ConfigurationError, match="has no login and password; enter them, or"):
        _ = connect(host="team.azurecr.io").api


def test_an_unknown_way_to_be_known_is_refused(connect: Callable[..., AcrHook]) -> None:
    hook = connect(host="team.azurecr.io", extra={"auth": "magic"})
    with pytest.raises(ConfigurationError, match="service_principal, managed_identity, workload"):
        _ = hook.api


@pytest.mark.parametrize("indexed", [False, True], ids=["manifest", "index"])
def test_an_image_is_found_with_its_labels(
    server: RegistryServer, hook: AcrHook, indexed: bool
) -> None:
    digest = server.put(REPOSITORY, "1.4.0", {"a": "b"}, indexed=indexed)
    found = hook.api.find(REPOSITORY, "1.4.0")
    assert found is not None
    assert found.digest == digest
    assert (found.manifest_digest == digest) is not indexed
    assert (found.labels, found.size) == ({"a": "b"}, 7)


def test_a_tag_that_is_not_there_is_none(hook: AcrHook) -> None:
    assert hook.api.find(REPOSITORY, "1.4.0") is None


def test_one_token_serves_all_requests_of_its_scope(server: RegistryServer, hook: AcrHook) -> None:
    server.put(REPOSITORY, "1.4.0", {}, indexed=False)
    for _ in range(3):
        hook.api.find(REPOSITORY, "1.4.0")
    assert server.count("/oauth2/token") == 1


def test_a_token_that_runs_out_in_the_midst_is_renewed(
    server: RegistryServer, hook: AcrHook
) -> None:
    server.put(REPOSITORY, "1.4.0", {}, indexed=False)
    hook.api.find(REPOSITORY, "1.4.0")
    server.revoke()
    assert hook.api.find(REPOSITORY, "1.4.0") is not None


def test_a_wrong_password_names_registry_and_remedy(
    server: RegistryServer, connect: Callable[..., AcrHook]
) -> None:
    hook = connect(host=f"http://{server.host}", login=USER, password="wrong")
    with pytest.raises(RegistryError) as caught:
        hook.api.find(REPOSITORY, "1.4.0")
    assert f"The registry {server.host} refused" in str(caught.value)
    assert "bad login" in str(caught.value)
    assert "correct login and password" in str(caught.value)
    assert not caught.value.retryable
    assert server.count("/oauth2/token") == 1, "a wrong password is not tried again and again"


def test_the_test_button_says_whether_it_works(
    server: RegistryServer, connect: Callable[..., AcrHook]
) -> None:
    right = connect(host=f"http://{server.host}", login=USER, password=PASSWORD)
    assert right.test_connection() == (True, f"{server.host} accepts this identity.")
    wrong = connect(host=f"http://{server.host}", login=USER, password="wrong")
    accepted, why = wrong.test_connection()
    assert not accepted
    assert "bad login" in why


def test_docker_gets_the_connection_s_own_login(hook: AcrHook) -> None:
    assert hook.docker_auth() == {"username": USER, "password": PASSWORD}


def test_a_login_from_netrc_does_not_take_our_place(
    server: RegistryServer, hook: AcrHook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login other password other\n")
    monkeypatch.setenv("NETRC", str(netrc))
    hook.api.check()


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


def test_a_refresh_token_near_its_end_is_exchanged_anew(
    server: RegistryServer, entra: RegistryApi
) -> None:
    server.refresh_seconds = 500
    first, second = entra.login(), entra.login()
    assert first.password != second.password
    assert server.count("/oauth2/exchange") == 2


def test_an_entra_identity_without_rights_is_told(server: RegistryServer) -> None:
    identity = EntraIdentity(lambda: "token-of-another", TENANT)
    api = RegistryApi(f"http://{server.host}", identity, verify=True)
    with pytest.raises(RegistryError, match="or the Entra ID identity"):
        api.check()


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that the hook waits between tries; they do not pass."""
    waited: list[float] = []
    monkeypatch.setattr(retrying, "sleep", waited.append)
    return waited


def test_too_many_requests_waits_as_long_as_it_is_asked_to(
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


def test_a_registry_that_stays_broken_is_given_up_in_time(server: RegistryServer) -> None:
    server.faults = [Fault(503)] * 1000
    identity = PasswordIdentity(Login(USER, PASSWORD))
    api = RegistryApi(f"http://{server.host}", identity, verify=True, deadline_seconds=0.6)
    begin = time.monotonic()
    with pytest.raises(RegistryError, match="could not be reached for 1 s: HTTP 503") as caught:
        api.check()
    assert caught.value.retryable
    assert time.monotonic() - begin < 5


def test_a_wait_that_is_longer_than_the_deadline_is_not_begun(server: RegistryServer) -> None:
    server.faults = [Fault(429, {"Retry-After": "3600"})]
    identity = PasswordIdentity(Login(USER, PASSWORD))
    api = RegistryApi(f"http://{server.host}", identity, verify=True, deadline_seconds=5)
    begin = time.monotonic()
    with pytest.raises(RegistryError) as caught:
        api.check()
    assert caught.value.retryable
    assert time.monotonic() - begin < 4


def test_a_registry_that_is_down_is_worth_another_try() -> None:
    identity = PasswordIdentity(Login(USER, PASSWORD))
    api = RegistryApi("http://127.0.0.1:9", identity, verify=True, deadline_seconds=0.5)
    with pytest.raises(RegistryError, match="Connection refused") as caught:
        api.check()
    assert caught.value.retryable


def test_a_tag_that_replicas_do_not_know_yet_is_waited_for(
    server: RegistryServer, hook: AcrHook
) -> None:
    digest = server.put(REPOSITORY, "1.4.0", {}, indexed=False)
    server.appears_after = 3
    found = hook.api.wait_for(REPOSITORY, "1.4.0", seconds=10)
    assert found is not None
    assert found.digest == digest


def test_a_login_is_not_sent_from_https_to_http() -> None:
    identity = PasswordIdentity(Login(USER, PASSWORD))
    api = RegistryHttp("https://registry.example.com", identity, verify=True, deadline_seconds=60)
    with pytest.raises(RegistryError, match="which is not https; it is not sent there"):
        api._require_safe(Challenge("http://elsewhere.example.com/token", "", ""))


def test_only_a_bearer_challenge_asks_for_a_token() -> None:
    assert Challenge.parse('Basic realm="x"') is None
    assert Challenge.parse('Bearer realm="https://a/t",service="b",scope="c:d:e,f"') == Challenge(
        "https://a/t", "b", "c:d:e,f"
    )


@pytest.mark.parametrize("token", ["", "a.b", "a.!!.c", "a.e30.c", "a.W10.c"])
def test_a_token_that_does_not_say_its_end_has_none(token: str) -> None:
    assert expiry(token) is None


def test_the_authorities_are_read_once_for_all_hosts_and_again_when_they_change(
    tmp_path: Path,
) -> None:
    ca_file = tmp_path / "ca.pem"
    ca_file.write_text(Path(certifi.where()).read_text())
    first, second = _context(session(str(ca_file))), _context(session(str(ca_file)))
    assert first is second
    assert len(first.get_ca_certs()) > 100
    os.utime(ca_file, (1, 1))
    assert _context(session(str(ca_file))) is not first


def test_authorities_that_are_not_there_are_named(connect: Callable[..., AcrHook]) -> None:
    hook = connect(host="team.azurecr.io", login="a", password="b", extra={"verify": "/no/ca.pem"})
    with pytest.raises(ConfigurationError, match=r"/no/ca\.pem of the registry team\.azurecr\.io"):
        hook.api.check()


def test_the_login_for_docker_costs_no_request_once_the_registry_is_known(
    server: RegistryServer, hook: AcrHook
) -> None:
    hook.api.find(REPOSITORY, "1.4.0")
    asked = len(server.requests)
    hook.docker_login()
    assert len(server.requests) == asked


def _context(made: requests.Session) -> ssl.SSLContext:
    """What the session verifies a host of that name with."""
    adapter = made.get_adapter("https://registry.example.com")
    pool = adapter.poolmanager.connection_from_url("https://registry.example.com")
    return pool.conn_kw["ssl_context"]
