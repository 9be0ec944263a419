"""The resources of the ARM stand-in, and the checks of role assignments."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sandbox.services.azure.arm_documents import CLUSTERS, REGISTRIES
from sandbox.services.azure.arm_tokens import Caller

CREDENTIALS = f"{CLUSTERS}/listClusterUserCredential/action"
ROLES = {
    "Azure Kubernetes Service Cluster User Role": {CREDENTIALS, f"{CLUSTERS}/read"},
    "Reader": {f"{CLUSTERS}/read", f"{REGISTRIES}/read"},
}


class RefusedError(Exception):
    """A refusal, which the server answers with ARM's error document."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code = status, code


@dataclass(frozen=True)
class Resources:
    """Subscriptions, groups, clusters and role assignments.

    ARM compares names without regard to case.
    """

    known: Mapping[str, Any]

    def of(self, kind: str) -> list[Mapping[str, Any]]:
        """The clusters or the registries."""
        return list(self.known.get("clusters" if kind == CLUSTERS else "registries", ()))

    def find(self, kind: str, subscription: str, group: str, name: str) -> Mapping[str, Any]:
        """A cluster or a registry. Raises RefusedError if the group or the resource is missing."""
        mine = [item for item in self.of(kind) if same(item["subscription"], subscription)]
        mine = [item for item in mine if same(item["group"], group)]
        if not mine:
            message = f"Resource group '{group}' could not be found."
            raise RefusedError(404, "ResourceGroupNotFound", message)
        for item in mine:
            if same(item["name"], name):
                return dict(item)
        raise RefusedError(
            404,
            "ResourceNotFound",
            f"The Resource '{kind}/{name}' under resource group '{group}' was not found. For more "
            "details please go to https://aka.ms/ARMResourceNotFoundFix",
        )

    def allows(self, caller: Caller, action: str, scope: str) -> bool:
        """Whether a role assignment of the caller has the action at the scope."""
        return any(
            item["client_id"] == caller.client_id
            and scope.lower().startswith(item["scope"].lower())
            and action in ROLES[item["role"]]
            for item in self.known["assignments"]
        )

    def subscriptions(self, caller: Caller) -> list[str]:
        """The subscriptions in which the caller has a role."""
        scopes = [
            i["scope"] for i in self.known["assignments"] if i["client_id"] == caller.client_id
        ]
        return sorted({scope.split("/")[2] for scope in scopes})

    def require_subscription(self, subscription: str) -> None:
        try:
            uuid.UUID(subscription)
        except ValueError:
            message = f"The provided subscription identifier '{subscription}' is malformed or "
            raise RefusedError(400, "InvalidSubscriptionId", message + "invalid.") from None
        if not any(same(item["subscription"], subscription) for item in self.known["clusters"]):
            message = f"The subscription '{subscription}' could not be found."
            raise RefusedError(404, "SubscriptionNotFound", message)

    def require_permission(self, caller: Caller, action: str, scope: str) -> None:
        if not self.allows(caller, action, scope):
            raise RefusedError(
                403,
                "AuthorizationFailed",
                f"The client '{caller.client_id}' with object id '{caller.object_id}' does not "
                f"have authorization to perform action '{action}' over scope '{scope}' or the "
                "scope is invalid. If access was recently granted, please refresh your "
                "credentials.",
            )


def same(one: str, other: str) -> bool:
    return one.lower() == other.lower()
