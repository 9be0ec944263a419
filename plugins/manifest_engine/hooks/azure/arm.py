"""Azure Resource Manager: the kubeconfig of a managed cluster."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from manifest_engine.domain.core import printable
from manifest_engine.domain.core.errors import ClusterError
from manifest_engine.hooks.azure.entra import bounded_retries
from manifest_engine.hooks.azure.identity import TRANSPORT, AzureIdentity, first_sentence
from manifest_engine.hooks.core import http_answers

ENDPOINT = "https://management.azure.com"
"""Endpoint of the public cloud."""
ROLE = "Azure Kubernetes Service Cluster User Role"
_NO_STATIC_CREDENTIAL = "Getting static credential is not allowed"
"""Code BadRequest of a cluster without Entra ID whose local accounts are disabled
(github.com/hashicorp/terraform-provider-azurerm/pull/15489, read 2026-11)."""
_RETRYABLE = frozenset({408, 429, 500, 502, 503, 504})


@dataclass(frozen=True)
class ManagedCluster:
    """The place of one AKS cluster in Azure."""

    subscription_id: str
    resource_group: str
    name: str

    def __str__(self) -> str:
        """The resource id."""
        return (
            f"/subscriptions/{self.subscription_id}/resourceGroups/{self.resource_group}"
            f"/providers/Microsoft.ContainerService/managedClusters/{self.name}"
        )


@dataclass(frozen=True)
class ResourceManager:
    """Azure Resource Manager of one cloud.

    :param audience: resource that its tokens are issued for.
    :param verify: path of a file of certificate authorities, or True for the usual authorities.
    """

    endpoint: str = ENDPOINT
    audience: str = ENDPOINT
    verify: bool | str = True

    def user_kubeconfig(self, cluster: ManagedCluster, identity: AzureIdentity) -> bytes:
        """The kubeconfig that ``az aks get-credentials`` would write.

        :raises ClusterError: with the resource and the missing permission.
        """
        from azure.core import exceptions
        from azure.mgmt.containerservice import ContainerServiceClient

        scope = f"{self.audience.rstrip('/')}/.default"
        identity.token(scope)  # outside the block below, which reports errors of ARM
        client = ContainerServiceClient(
            identity.credential,
            cluster.subscription_id,
            self.endpoint.rstrip("/"),
            credential_scopes=[scope],
            retry_policy=bounded_retries()(**TRANSPORT),
            **{**TRANSPORT, "connection_verify": self.verify, "session": http_answers.session()},
        )
        try:
            with client:
                found = client.managed_clusters.list_cluster_user_credentials(
                    cluster.resource_group, cluster.name, format="exec"
                )
        except exceptions.HttpResponseError as error:
            raise _refusal(cluster, identity, error) from error
        except exceptions.AzureError as error:
            raise ClusterError(
                f"Azure Resource Manager at {self.endpoint} cannot be reached for {cluster}: "
                f"{first_sentence(error)}.",
                retryable=True,
            ) from error
        for item in found.kubeconfigs or []:
            if item.value:
                return bytes(item.value)
        raise ClusterError(f"Azure Resource Manager has no kubeconfig of {cluster}.")


def _refusal(cluster: ManagedCluster, identity: AzureIdentity, error: Any) -> ClusterError:
    """Explain an answer with the body ``{"error": {"code": …, "message": …}}``.

    azure-core answers a claims challenge with a new token once, so a challenge that arrives here
    was repeated (learn.microsoft.com, entra/identity-platform/claims-challenge, read 2026-11).
    """
    status = error.status_code or 0
    code = getattr(error.error, "code", None) or f"HTTP {status}"
    message = first_sentence(Exception(getattr(error.error, "message", None) or error.message))
    connection = f"the Connection {identity.conn_id!r}"
    headers = getattr(getattr(error, "response", None), "headers", None) or {}
    if correlation := headers.get("x-ms-correlation-request-id"):
        code = f"{code}, correlation id {printable.excerpt(correlation, 64)}"
    if status == 401 and "insufficient_claims" in headers.get("WWW-Authenticate", ""):
        sentence = (
            f"Azure Resource Manager refuses a token of {identity} although it is valid ({code}): "
            "a Conditional Access policy, such as one of network locations, or a revocation "
            "applies; see the sign-in logs of Entra ID, or exempt the identity."
        )
    elif status == 401:
        sentence = (
            f"Azure Resource Manager does not take {identity} ({code}: {message}): tenant_id must "
            f"be the tenant of the subscription {cluster.subscription_id}, and arm_endpoint and "
            "authority those of one cloud."
        )
    elif status == 403:
        sentence = (
            f"{_capital(identity)} may not read the credentials of {cluster} ({code}): give it the "
            f"role {ROLE!r} there, and some minutes to take effect."
        )
    elif status == 404:
        thing, field = _missing(cluster, code.partition(",")[0])
        sentence = f"Azure knows no {thing}: correct {field} in {connection}."
    elif _NO_STATIC_CREDENTIAL in message:
        sentence = (
            f"{cluster} has disabled local accounts and does not use Entra ID ({code}): enable "
            "AKS-managed Entra ID for the cluster, or its local accounts."
        )
    elif code.startswith("InvalidSubscriptionId"):
        sentence = f"subscription_id of {connection} is no subscription id: {message}."
    else:
        sentence = f"Azure Resource Manager has no credentials of {cluster} ({code}): {message}."
    return ClusterError(sentence, retryable=status in _RETRYABLE)


def _missing(cluster: ManagedCluster, code: str) -> tuple[str, str]:
    if code == "SubscriptionNotFound":
        return f"subscription {cluster.subscription_id}", "subscription_id or tenant_id"
    group = f"resource group {cluster.resource_group!r}"
    if code == "ResourceGroupNotFound":
        where = f"subscription {cluster.subscription_id}"
        return f"{group} in {where}", "resource_group or subscription_id"
    return f"AKS cluster {cluster.name!r} in {group}", "cluster_name or resource_group"


def _capital(identity: AzureIdentity) -> str:
    text = str(identity)
    return text[0].upper() + text[1:]
