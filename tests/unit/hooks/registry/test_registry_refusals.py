"""Refusals of the registry, distinguished as far as its answers allow.

The bodies are those of Azure Container Registry; the sources stand in ``hooks/registry/errors.py``.
"""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import pytest
from manifest_engine.domain.core.errors import RegistryError
from manifest_engine.hooks.azure import clouds
from manifest_engine.hooks.registry.acr import AcrHook
from manifest_engine.hooks.registry.api import RegistryApi
from manifest_engine.hooks.registry.auth import EntraIdentity

from tests.unit.hooks.registry.registry_server import (
    ENTRA_TOKEN,
    REPOSITORY,
    TENANT,
    Fault,
    RegistryServer,
)


def body(code: str, message: str, detail: Any = None) -> bytes:
    return json.dumps({"errors": [{"code": code, "message": message, "detail": detail}]}).encode()


FIREWALL = body(
    "DENIED",
    "client with IP '203.0.113.9' is not allowed access. Refer https://aka.ms/acr/firewall to "
    "grant access.",
)
NO_RIGHT = body(
    "UNAUTHORIZED",
    "authentication required, visit https://aka.ms/acr/authorization for more information.",
    [{"Type": "repository", "Name": REPOSITORY, "Action": "pull"}],
)
LOCKED = body(
    "REGISTRY_DISALLOWED_OPERATION",
    "The operation is disallowed on this registry, repository or image. View troubleshooting "
    "steps at https://aka.ms/acr/faq/#why-does-my-pull-or-push-request-fail-with-disallowed-operation",
    {},
)


@pytest.fixture
def entra(server: RegistryServer) -> RegistryApi:
    identity = EntraIdentity(lambda: ENTRA_TOKEN, TENANT)
    return RegistryApi(f"http://{server.host}", identity, verify=True)


def refused(server: RegistryServer, api: RegistryApi, *faults: Fault) -> str:
    server.faults = list(faults)
    with pytest.raises(RegistryError) as caught:
        api.find(REPOSITORY, "1.4.0")
    assert not caught.value.retryable
    return str(caught.value)


def test_a_firewall_is_named_with_the_address(server, hook: AcrHook):
    sentence = refused(server, hook.api, Fault(403, body=FIREWALL))
    assert "client with IP '203.0.113.9'" in sentence
    assert "firewall of the registry does not admit this address" in sentence
    assert "AcrPush" not in sentence


def test_a_firewall_at_the_login_is_named_as_well(server, hook: AcrHook):
    server.faults = [Fault(403, body=FIREWALL)]
    with pytest.raises(RegistryError, match="add the address under Networking"):
        hook.docker_login()


def test_403_before_a_login_names_both_possibilities(server, hook: AcrHook):
    sentence = refused(server, hook.api, Fault(403, body=b""))
    assert "usually the firewall" in sentence
    assert "AcrPush" in sentence


def test_a_refused_login_names_both_possibilities(server, connect):
    api = connect(host=f"http://{server.host}", login="robot", password="wrong").api
    sentence = refused(server, api)
    assert "does not say which of two causes: correct login and password" in sentence
    assert "Container Registry Repository Writer" in sentence


def test_a_right_that_is_missing_behind_a_good_login_is_a_missing_role(server, entra):
    sentence = refused(server, entra, Fault(401, body=NO_RIGHT, path="/oauth2/token"))
    assert "the login is right but may not do this" in sentence
    assert "AcrPush has no effect there" in sentence


def test_a_locked_tag_is_named(server, hook: AcrHook):
    sentence = refused(server, hook.api, Fault(405, body=LOCKED))
    assert "is locked (or its storage is full): unlock it" in sentence


def test_a_refused_refresh_token_is_dropped_and_renewed_once(server, entra):
    digest = server.put(REPOSITORY, "1.4.0", {}, indexed=False)
    assert entra.login()
    server.revoke_refresh()
    found = entra.find(REPOSITORY, "1.4.0")
    assert found is not None
    assert found.digest == digest
    assert server.count("/oauth2/exchange") == 2


def test_a_refresh_token_that_is_refused_although_new_is_not_renewed_again(server, entra):
    entra.login()
    faults = [Fault(401, body=NO_RIGHT, path="/oauth2/token")] * 2
    assert "the login is right" in refused(server, entra, *faults)
    assert server.count("/oauth2/exchange") == 2
    assert not server.faults


def test_a_request_for_a_token_always_has_a_scope(server, entra):
    """The double answers 400 without one."""
    challenge = {"WWW-Authenticate": f'Bearer realm="{server.realm}",service="{server.host}"'}
    server.put(REPOSITORY, "1.4.0", {}, indexed=False)
    server.faults = [Fault(401, challenge)]
    assert entra.find(REPOSITORY, "1.4.0") is not None


def test_the_check_logs_in_as_docker_does(server, entra):
    entra.check()
    assert server.count("GET /oauth2/token?service=") == 1


@pytest.mark.parametrize(
    ("login_server", "authority", "audience"),
    [
        ("team.azurecr.io", "", "https://containerregistry.azure.net"),
        (
            "team.azurecr.cn",
            "https://login.chinacloudapi.cn",
            "https://management.chinacloudapi.cn",
        ),
        (
            "team.azurecr.us",
            "https://login.microsoftonline.us",
            "https://management.usgovcloudapi.net",
        ),
    ],
)
def test_a_sovereign_cloud_has_its_own_authority_and_audience(login_server, authority, audience):
    assert clouds.of_registry(login_server) == (authority, audience)


class _Storage(BaseHTTPRequestHandler):
    """A storage account that refuses a second way to authenticate beside its signed URL."""

    def do_GET(self) -> None:
        given = self.headers.get("Authorization")
        content = b"{}" if given is None else b"InvalidAuthenticationInfo"
        self.send_response(200 if given is None else 400)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Log nothing."""


def test_a_blob_at_another_host_is_read_without_credentials(
    server, hook: AcrHook, tmp_path, monkeypatch
):
    storage = HTTPServer(("127.0.0.1", 0), _Storage)
    Thread(target=storage.serve_forever, args=(0.01,), daemon=True).start()
    netrc = tmp_path / "netrc"
    netrc.write_text("default login ours password secret")
    monkeypatch.setenv("NETRC", str(netrc))
    server.put(REPOSITORY, "1.4.0", {}, indexed=False)
    hook.api.find(REPOSITORY, "1.4.0")  # the token is cached
    there = f"http://127.0.0.1:{storage.server_port}/blob?sig=x"
    server.faults = [Fault(307, {"Location": there}, path="/blobs/")]
    assert hook.api.find(REPOSITORY, "1.4.0") is not None
    storage.shutdown()
    storage.server_close()
