"""Kubeconfigs from Azure, and unusable ones."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from manifest_engine.domain.core.errors import ClusterError
from manifest_engine.hooks.kubernetes import kubeconfig

SERVER = "https://team-abc.hcp.westeurope.azmk8s.io:443"
TENANT = "11111111-2222-3333-4444-555555555555"


def content(user: dict[str, Any] | None, **cluster: Any) -> str:
    return yaml.safe_dump(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "c", "cluster": {"server": SERVER, **cluster}}],
            "users": [{"name": "u", "user": user}],
            "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
            "current-context": "x",
        }
    )


def kubelogin(*words: str, command: str = "kubelogin") -> dict[str, Any]:
    return {"exec": {"command": command, "args": ["get-token", *words], "env": None}}


def test_kubelogin_means_entra_id_with_its_server_application_and_tenant():
    user = kubelogin("--server-id", "own-app", "--client-id", "x", "--tenant-id", TENANT)
    found = kubeconfig.read(content(user), "here")
    assert found.entra == kubeconfig.Entra("own-app", TENANT)
    assert found.server == SERVER
    assert found.content()["users"][0]["user"] == {}, "no program is left to be run"


@pytest.mark.parametrize("command", ["/usr/local/bin/kubelogin", "kubelogin.exe"])
def test_kubelogin_is_recognized_by_any_path_and_without_arguments(command: str):
    found = kubeconfig.read(content(kubelogin(command=command)), "here")
    assert found.entra == kubeconfig.Entra(kubeconfig.SERVER_APPLICATION)


def test_the_older_auth_provider_means_entra_id_as_well():
    config = {"apiserver-id": "own-app", "tenant-id": TENANT}
    user = {"auth-provider": {"name": "azure", "config": config}}
    assert kubeconfig.read(content(user), "here").entra == kubeconfig.Entra("own-app", TENANT)


@pytest.mark.parametrize(
    "user",
    [{"client-certificate-data": "QQ==", "client-key-data": "QQ=="}, {"token": "abc"}],
)
def test_a_local_account_keeps_its_credentials(user: dict[str, Any]):
    found = kubeconfig.read(content(user), "here")
    assert found.entra is None
    assert found.content()["users"][0]["user"] == user


def test_another_name_keeps_the_port_and_the_name_of_the_certificate():
    found = kubeconfig.read(content({"token": "abc"}), "here").at("api.internal")
    assert found.server == "https://api.internal:443"
    assert found.cluster["tls-server-name"] == "team-abc.hcp.westeurope.azmk8s.io"
    assert found.at("10.0.0.4:8443").server == "https://10.0.0.4:8443"
    assert found.at("10.0.0.4").cluster["tls-server-name"] == "team-abc.hcp.westeurope.azmk8s.io"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (content(kubelogin(command="gke-auth")), "the program 'gke-auth', which is not run"),
        (content(None), "neither Entra ID nor a local account"),
        (content({"token": "a"}, server=""), "names no server"),
        ("current-context: gone", "no usable current context"),
        ("{", "no usable current context"),
        ("", "no usable current context"),
    ],
)
def test_the_error_for_an_unusable_kubeconfig_names_its_source(text: str, message: str):
    with pytest.raises(ClusterError, match=message) as caught:
        kubeconfig.read(text, "/subscriptions/s")
    assert "/subscriptions/s" in str(caught.value)
