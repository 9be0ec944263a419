"""The fields of an ACR Connection, and images in its registry."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from manifest_engine.domain.core.errors import ConfigurationError, RegistryError
from manifest_engine.hooks.builder.buildx import Login
from manifest_engine.hooks.registry.acr import AcrHook

from tests.unit.hooks.registry.registry_server import PASSWORD, REPOSITORY, USER, RegistryServer


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


def test_an_unknown_auth_method_is_refused(connect: Callable[..., AcrHook]) -> None:
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


def test_a_missing_tag_is_none(hook: AcrHook) -> None:
    assert hook.api.find(REPOSITORY, "1.4.0") is None


def test_the_error_for_a_wrong_password_names_registry_and_remedy(
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
    assert hook.docker_login() == Login(USER, PASSWORD)


def test_a_login_from_netrc_does_not_replace_ours(
    server: RegistryServer, hook: AcrHook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login other password other\n")
    monkeypatch.setenv("NETRC", str(netrc))
    hook.api.check()


def test_the_error_for_missing_authorities_names_their_path(
    connect: Callable[..., AcrHook],
) -> None:
    hook = connect(host="team.azurecr.io", login="a", password="b", extra={"verify": "/no/ca.pem"})
    with pytest.raises(ConfigurationError, match=r"/no/ca\.pem of the registry team\.azurecr\.io"):
        hook.api.check()


def test_a_file_without_certificates_is_reported_at_once(
    connect: Callable[..., AcrHook], tmp_path: Path
) -> None:
    file = tmp_path / "ca.pem"
    file.write_text("no certificate\n")
    with socket.create_server(("127.0.0.1", 0)) as server:
        host = f"127.0.0.1:{server.getsockname()[1]}"
        hook = connect(host=host, login="a", password="b", extra={"verify": str(file)})
        with pytest.raises(RegistryError, match="into 'verify' of the acr Connection") as caught:
            hook.api.check()
    assert not caught.value.retryable
