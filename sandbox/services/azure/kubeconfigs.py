"""The kubeconfigs that Azure returns for managed clusters (``az aks get-credentials``)."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any

SERVER_APPLICATION = "6dae42f8-4368-4678-94ff-3960e28e3630"
_CLIENT_APPLICATION = "80faf920-1908-4b52-b5ef-a8e7bedfc67a"
"""The client application of kubectl users who sign in interactively."""


def user(cluster: Mapping[str, Any], tenant: str, kind: str) -> dict[str, Any]:
    """A user's kubeconfig. Clusters with Entra ID get a login plugin, others a certificate.

    :param cluster: ``group``, ``name``, ``server``, ``ca`` (PEM file), and for local accounts
        ``client_certificate`` and ``client_key`` (PEM files).
    :param kind: ``exec`` or ``azure``.
    """
    name, account = cluster["name"], f"clusterUser_{cluster['group']}_{cluster['name']}"
    if "client_certificate" in cluster:
        how = {
            "client-certificate-data": _inline(cluster["client_certificate"]),
            "client-key-data": _inline(cluster["client_key"]),
        }
    else:
        how = _plugin(tenant) if kind == "exec" else _provider(tenant)
    where = {"server": cluster["server"], "certificate-authority-data": _inline(cluster["ca"])}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "preferences": {},
        "clusters": [{"name": name, "cluster": where}],
        "users": [{"name": account, "user": how}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": account}}],
        "current-context": name,
    }


def _plugin(tenant: str) -> dict[str, Any]:
    words = ["get-token", "--environment", "AzurePublicCloud", "--server-id", SERVER_APPLICATION]
    words += ["--client-id", _CLIENT_APPLICATION, "--tenant-id", tenant, "--login", "devicecode"]
    return {
        "exec": {
            "apiVersion": "client.authentication.k8s.io/v1beta1",
            "command": "kubelogin",
            "args": words,
            "env": None,
            "installHint": "kubelogin is not installed which is required to connect to AAD enabled "
            "cluster.\n",
            "provideClusterInfo": False,
        }
    }


def _provider(tenant: str) -> dict[str, Any]:
    config = {
        "apiserver-id": SERVER_APPLICATION,
        "client-id": _CLIENT_APPLICATION,
        "config-mode": "1",
        "environment": "AzurePublicCloud",
        "tenant-id": tenant,
    }
    return {"auth-provider": {"name": "azure", "config": config}}


def _inline(file: str) -> str:
    return base64.b64encode(Path(file).read_bytes()).decode()
