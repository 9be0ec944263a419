"""Documents of Azure Resource Manager: subscriptions, clusters and registries.

Sources, read 2026-11: learn.microsoft.com/rest/api, pages resources/subscriptions/list,
resources/resources/list, aks/managed-clusters/get and container-registry/registries/get.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

CLUSTERS = "Microsoft.ContainerService/managedClusters"
REGISTRIES = "Microsoft.ContainerRegistry/registries"
_LOCATION = "westeurope"


def identifier(item: Mapping[str, Any], kind: str) -> str:
    """The resource id of a cluster or a registry."""
    return (
        f"/subscriptions/{item['subscription']}/resourceGroups/{item['group']}/providers/{kind}"
        f"/{item['name']}"
    )


def subscription(name: str, tenant: str) -> dict[str, Any]:
    return {
        "id": f"/subscriptions/{name}",
        "subscriptionId": name,
        "tenantId": tenant,
        "displayName": "sandbox",
        "state": "Enabled",
        "authorizationSource": "RoleBased",
        "subscriptionPolicies": {
            "locationPlacementId": "Public_2014-09-01",
            "quotaId": "PayAsYouGo_2014-09-01",
            "spendingLimit": "Off",
        },
        "managedByTenants": [],
    }


def resource(item: Mapping[str, Any], kind: str) -> dict[str, Any]:
    """An entry in a list of resources."""
    return {
        "id": identifier(item, kind),
        "name": item["name"],
        "type": kind,
        "location": _LOCATION,
        "tags": {},
    }


def cluster(item: Mapping[str, Any], tenant: str) -> dict[str, Any]:
    local = "client_certificate" in item
    server = item["server"].removeprefix("https://").partition(":")[0]
    profile = {"managed": True, "enableAzureRBAC": False, "tenantID": tenant}
    return {
        **resource(item, CLUSTERS),
        "sku": {"name": "Base", "tier": "Free"},
        "properties": {
            "provisioningState": "Succeeded",
            "powerState": {"code": "Running"},
            "dnsPrefix": item["name"],
            "fqdn": server,
            "nodeResourceGroup": f"MC_{item['group']}_{item['name']}_{_LOCATION}",
            "enableRBAC": True,
            "disableLocalAccounts": not local,
            **({} if local else {"aadProfile": profile}),
        },
    }


def registry(item: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **resource(item, REGISTRIES),
        "sku": {"name": "Premium", "tier": "Premium"},
        "properties": {
            "loginServer": item["login_server"],
            "provisioningState": "Succeeded",
            "adminUserEnabled": False,
            "publicNetworkAccess": "Enabled",
            "roleAssignmentMode": "LegacyRegistryPermissions",
        },
    }
