"""Refusals of Entra ID, ARM and the cluster, and the errors that they become."""

from __future__ import annotations

import re
from typing import Any

import pytest
from manifest_engine.domain.core.errors import ClusterError, ConfigurationError
from manifest_engine.hooks.kubernetes.aks import AksHook
from manifest_engine.hooks.kubernetes.cluster import ClusterHook

from tests.integration.azure.conftest import Make
from tests.integration.azure.directories import foreign_tenant, of_the_sandbox


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        ({"cluster_name": "nowhere"}, r"no AKS cluster 'nowhere' in resource group 'sandbox'"),
        ({"resource_group": "nowhere"}, r"no resource group 'nowhere'.*correct resource_group"),
        ({"subscription_id": "1" * 8 + "-1111-1111-1111-" + "1" * 12}, r"knows no subscription"),
        ({"subscription_id": "mine"}, r"subscription_id of the Connection 'aks_tests'"),
        ({"tenant_id": "2" * 8 + "-2222-2222-2222-" + "2" * 12}, r"no such tenant.*tenant_id"),
        ({"arm_audience": "https://containerregistry.azure.net"}, r"AuthenticationTokenAudience"),
        ({"server_application_id": "unknown"}, r"AADSTS500011: The resource principal"),
    ],
)
def test_a_wrong_field_is_named(connect: Make, extra: dict[str, Any], said: str) -> None:
    with pytest.raises(ClusterError, match=said) as caught:
        ClusterHook(connect(extra=extra)).api_client  # noqa: B018
    assert not caught.value.retryable


def test_a_wrong_secret_is_reported_without_the_secret(connect: Make) -> None:
    with of_the_sandbox() as directory:
        extra = {"authority": directory.authority}
        hook = AksHook(connect(password="wrong-secret-value", extra=extra))
        ok, message = hook.test_connection()
    assert not ok
    assert "'aks_tests'" in message
    assert "AADSTS7000215: Invalid client secret provided" in message
    assert "wrong-secret-value" not in message
    assert re.search(r"\(trace id [0-9a-f-]{36}, correlation id [0-9a-f-]{36}\)\.$", message)


def test_a_missing_role_in_azure_is_named_with_its_scope(
    connect: Make, azure: dict[str, Any]
) -> None:
    reader = azure["reader"]
    hook = AksHook(connect(login=reader["client_id"], password=reader["secret"]))
    ok, message = hook.test_connection()
    assert not ok
    assert "'Azure Kubernetes Service Cluster User Role'" in message
    assert str(hook.cluster) in message


def test_an_identity_of_another_tenant_is_refused_by_arm(connect: Make) -> None:
    with foreign_tenant() as other:
        client = other.known["clients"][0]
        extra = {"authority": other.authority, "tenant_id": other.known["tenant"]}
        conn_id = connect(login=client["client_id"], password=client["secret"], extra=extra)
        with pytest.raises(ClusterError, match=r"InvalidAuthenticationTokenTenant.*tenant_id must"):
            ClusterHook(conn_id).api_client  # noqa: B018


def test_a_token_for_another_application_is_refused_by_the_cluster(
    connect: Make, aks_namespace: str
) -> None:
    extra = {"server_application_id": "https://management.azure.com"}
    hook = ClusterHook(connect(extra=extra))
    with pytest.raises(ClusterError, match=r"does not accept a new token.*server_application_id"):
        hook.find("v1", "Pod", aks_namespace)


def test_several_clients_share_one_request_to_arm(
    connect: Make, aks_namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    conn_id = connect()
    ClusterHook(conn_id).find("v1", "Pod", aks_namespace, labels="nobody=there")
    conn_id = connect(extra={"arm_endpoint": "https://127.0.0.1:9"})
    with pytest.raises(ClusterError, match="cannot be reached"):
        ClusterHook(conn_id).api_client  # noqa: B018 - nothing is kept for that endpoint
    conn_id = connect()
    monkeypatch.setattr("manifest_engine.hooks.azure.arm.ResourceManager.user_kubeconfig", None)
    assert ClusterHook(conn_id).find("v1", "Pod", aks_namespace, labels="nobody=there") == []


def test_missing_fields_are_named_before_any_request(connect: Make) -> None:
    hook = ClusterHook(connect(extra={"resource_group": "", "cluster_name": None}))
    with pytest.raises(ConfigurationError, match="has no resource_group, cluster_name"):
        hook.api_client  # noqa: B018


def test_an_unreachable_arm_is_retryable(connect: Make) -> None:
    with pytest.raises(ClusterError, match="cannot be reached") as caught:
        ClusterHook(connect(extra={"arm_endpoint": "https://127.0.0.1:9"})).api_client  # noqa: B018
    assert caught.value.retryable


def test_an_unreachable_entra_id_is_retryable(connect: Make) -> None:
    with pytest.raises(ClusterError, match="Connection refused") as caught:
        ClusterHook(connect(extra={"authority": "https://127.0.0.1:9"})).api_client  # noqa: B018
    assert caught.value.retryable
