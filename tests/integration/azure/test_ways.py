"""Access to an API server: Entra ID, local accounts, private name, proxy, in-cluster."""

from __future__ import annotations

import json
from typing import Any

import pytest
from manifest_engine.domain.core.errors import ClusterError
from manifest_engine.domain.workload.refusals import Attempt
from manifest_engine.hooks.kubernetes.aks import AksHook
from manifest_engine.hooks.kubernetes.cluster import ClusterHook

from tests.integration.azure.conftest import Make
from tests.integration.azure.detours import connect_proxy, forwarding


def test_the_cluster_knows_the_service_principal_by_its_object_id(
    connect: Make, azure: dict[str, Any]
) -> None:
    ok, message = AksHook(connect()).test_connection()
    assert ok, message
    assert azure["object_id"] in message


def test_a_certificate_replaces_the_secret(connect: Make, azure: dict[str, Any]) -> None:
    conn_id = connect(password=None, extra={"certificate": azure["certificate"]})
    ok, message = AksHook(conn_id).test_connection()
    assert ok, message


def test_a_cluster_with_local_accounts_needs_no_token(
    connect: Make, azure: dict[str, Any], aks_namespace: str
) -> None:
    conn_id = connect(extra={"cluster_name": azure["local_cluster"]})
    assert "masterclient" in AksHook(conn_id).test_connection()[1]
    assert ClusterHook(conn_id).find("v1", "Pod", aks_namespace, labels="nobody=there") == []


def test_the_role_of_the_package_reads_pods_and_no_secrets(
    connect: Make, aks_namespace: str
) -> None:
    hook = ClusterHook(connect())
    assert hook.find("v1", "Pod", aks_namespace, labels="nobody=there") == []
    asked = hook.api.explained(Attempt("list", "secrets", aks_namespace))
    with pytest.raises(ClusterError, match="verb 'list' on 'secrets'"), asked:
        hook.core_v1_client.list_namespaced_secret(aks_namespace)


def test_the_api_server_is_reached_under_its_private_name(
    connect: Make, aks_namespace: str, azure: dict[str, Any]
) -> None:
    with forwarding("127.0.0.2", azure["server"]) as there:  # not in the certificate
        hook = ClusterHook(connect(extra={"private_fqdn": there}))
        assert hook.api.url == f"https://{there}"
        assert hook.find("v1", "Pod", aks_namespace, labels="nobody=there") == []


def test_the_api_server_is_reached_through_a_proxy(connect: Make, aks_namespace: str) -> None:
    with connect_proxy() as proxy:
        hook = ClusterHook(connect(extra={"proxy_url": proxy.url}))
        assert hook.find("v1", "Pod", aks_namespace, labels="nobody=there") == []
    assert proxy.asked == [hook.api.url.removeprefix("https://")]


def test_the_pods_service_account_works_in_the_cluster(
    kube: Any, aks_namespace: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from kubernetes.config import incluster_config

    kube("create", "serviceaccount", "worker", "-n", aks_namespace)
    kube("create", "rolebinding", "worker", "-n", aks_namespace, "--clusterrole=manifest-engine",
         f"--serviceaccount={aks_namespace}:worker")  # fmt: skip
    plain = ClusterHook("kubernetes_default")
    plain.get("v1", "Pod", "none", aks_namespace)
    token, ca = tmp_path / "token", plain.api_client.configuration.ssl_ca_cert
    token.write_text(kube("create", "token", "worker", "-n", aks_namespace).strip())
    monkeypatch.setattr(incluster_config, "SERVICE_TOKEN_FILENAME", str(token))
    monkeypatch.setattr(incluster_config, "SERVICE_CERT_FILENAME", ca)
    host, _, port = plain.api.url.removeprefix("https://").partition(":")
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", host)
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", port)
    given = json.dumps({"conn_type": "kubernetes", "extra": {"in_cluster": True}})
    monkeypatch.setenv("AIRFLOW_CONN_INSIDE", given)
    hook = ClusterHook("inside")
    assert hook.is_in_cluster
    assert hook.find("v1", "Pod", aks_namespace, labels="nobody=there") == []
