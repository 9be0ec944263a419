"""The fields of an aks Connection, and the errors for refusals of Azure."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest
from azure.core.exceptions import ClientAuthenticationError, ServiceRequestError
from manifest_engine.domain.core.errors import ClusterError, ConfigurationError
from manifest_engine.hooks.azure import arm
from manifest_engine.hooks.azure import identity as azure_identity
from manifest_engine.hooks.azure.identity import AzureIdentity
from manifest_engine.hooks.kubernetes.aks import AksHook

WHERE = {"subscription_id": "s", "resource_group": "g", "cluster_name": "c"}


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch) -> Any:
    def make(extra: dict[str, Any], **top: Any) -> AksHook:
        given = {"conn_type": "aks", "login": "me", "password": "hidden-secret", **top}
        monkeypatch.setenv("AIRFLOW_CONN_MY_AKS", json.dumps({**given, "extra": extra}))
        return AksHook("my_aks")

    return make


def test_the_resource_id_has_the_format_of_azure(hook: Any):
    assert str(hook(WHERE).cluster) == (
        "/subscriptions/s/resourceGroups/g/providers/Microsoft.ContainerService/managedClusters/c"
    )


def test_empty_fields_of_the_form_count_as_missing(hook: Any):
    with pytest.raises(ConfigurationError, match="'my_aks' has no resource_group, cluster_name"):
        hook({**WHERE, "resource_group": "", "cluster_name": None}).cluster  # noqa: B018


def test_the_default_identity_is_a_service_principal(hook: Any):
    ok, message = hook(WHERE).test_connection()
    assert not ok
    assert "needs tenant_id in its extra" in message


def test_the_error_for_an_unknown_identity_lists_the_known_ones(hook: Any):
    _, message = hook({**WHERE, "auth": "password"}).test_connection()
    assert "service_principal, managed_identity, workload_identity" in message


class Credential:
    """Raises the given error, as azure-identity does."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def get_token(self, scope: str) -> Any:
        raise self.error


def refusal(error: Exception) -> ClusterError:
    extra = {"auth": "service_principal", "tenant_id": "t"}
    identity = AzureIdentity("my_aks", login="me", password="hidden-secret", extra=extra)
    identity._credential = Credential(error)
    with pytest.raises(ClusterError) as caught:
        identity.token("app/.default")
    return caught.value


def test_only_the_first_sentence_of_entra_id_is_quoted():
    told = refusal(
        ClientAuthenticationError(
            "Authentication failed: AADSTS7000215: Invalid client secret provided. Ensure the "
            "secret being sent in the request is the client secret value. Trace ID: 1 "
            "Correlation ID: 2 Timestamp: 3"
        )
    )
    assert str(told) == (
        "Entra ID gives the identity of the Connection 'my_aks' (client me, tenant t) no token for "
        "app: AADSTS7000215: Invalid client secret provided."
    )
    assert not told.retryable


def test_a_network_error_can_be_retried():
    outer = ClientAuthenticationError("Authentication failed: connection refused")
    outer.__cause__ = ServiceRequestError("connection refused")
    assert refusal(outer).retryable


def test_an_untrusted_certificate_is_not_retried():
    assert not refusal(ServiceRequestError("[SSL: CERTIFICATE_VERIFY_FAILED] no")).retryable


@pytest.mark.parametrize(("status", "retryable"), [(401, False), (429, True), (503, True)])
def test_only_temporary_errors_of_entra_id_can_be_retried(status: int, retryable: bool):
    answer: Any = SimpleNamespace(status_code=status, reason="", headers={}, text=lambda: "")
    assert refusal(ClientAuthenticationError("no", response=answer)).retryable is retryable


def test_links_in_messages_of_azure_identity_are_removed():
    text = (
        "Not configured. See the troubleshooting guide for more information: https://a/b. Field x"
    )
    assert azure_identity._message(ValueError(text)) == "Not configured. Field x"


@pytest.mark.parametrize(("status", "retryable"), [(409, False), (429, True), (504, True)])
def test_only_temporary_errors_of_arm_can_be_retried(status: int, retryable: bool):
    error = SimpleNamespace(
        status_code=status,
        error=SimpleNamespace(code="SomeCode", message="It is so. More words."),
        message="",
    )
    identity = AzureIdentity("my_aks", login="me", password=None, extra={})
    told = arm._refusal(arm.ManagedCluster("s", "g", "c"), identity, error)
    assert told.retryable is retryable
    assert str(told).endswith("managedClusters/c (SomeCode): It is so.")
