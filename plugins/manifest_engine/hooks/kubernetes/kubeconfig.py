"""Read a kubeconfig from Azure: address of the API server and way of authentication."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any
from urllib.parse import urlsplit

import yaml

from manifest_engine.domain.core.errors import ClusterError

SERVER_APPLICATION = "6dae42f8-4368-4678-94ff-3960e28e3630"
"""The application "Azure Kubernetes Service AAD Server", the same in every tenant and cloud."""
_CREDENTIALS = ("token", "client-certificate-data", "client-certificate")


@dataclass(frozen=True)
class Entra:
    """The cluster accepts tokens of Entra ID."""

    server_application: str
    tenant: str | None = None
    """Tenant whose tokens the cluster accepts, if the kubeconfig has it."""


@dataclass(frozen=True)
class Kubeconfig:
    """The current context: one cluster and one user."""

    cluster: Mapping[str, Any]
    user: Mapping[str, Any]
    """Client certificate or token of a local account; empty if :attr:`entra` is set."""
    entra: Entra | None

    @property
    def server(self) -> str:
        """URL of the API server."""
        return str(self.cluster["server"])

    def at(self, host: str) -> Kubeconfig:
        """The same API server under another name; its certificate keeps the original name.

        :param host: host name, with ``:port`` if the port differs.
        """
        original = urlsplit(self.server)
        authority = host if ":" in host or not original.port else f"{host}:{original.port}"
        names = {"server": f"{original.scheme}://{authority}", "tls-server-name": original.hostname}
        return replace(self, cluster={**names, **self.cluster, "server": names["server"]})

    def content(self) -> dict[str, Any]:
        """The kubeconfig for the Kubernetes client's loader, without an exec plugin."""
        name = "aks"
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": name, "cluster": dict(self.cluster)}],
            "users": [{"name": name, "user": dict(self.user)}],
            "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
            "current-context": name,
        }


def read(text: str | bytes, source: str) -> Kubeconfig:
    """Read cluster, user and way of authentication of the current context.

    :param source: origin of the kubeconfig, for errors.
    :raises ClusterError: when the kubeconfig is not usable.
    """
    try:
        content = yaml.safe_load(text)
        contexts = _by_name(content, "contexts", "context")
        context = contexts[content["current-context"]]
        cluster = _by_name(content, "clusters", "cluster")[context["cluster"]]
        user = _by_name(content, "users", "user")[context["user"]] or {}
    except (yaml.YAMLError, KeyError, TypeError) as error:
        raise ClusterError(
            f"The kubeconfig of {source} has no usable current context ({type(error).__name__})."
        ) from None
    if not cluster.get("server"):
        raise ClusterError(f"The kubeconfig of {source} names no server.")
    if entra := _entra(user):
        return Kubeconfig(cluster, {}, entra)
    if not any(user.get(key) for key in _CREDENTIALS):
        program = (user.get("exec") or {}).get("command")
        raise ClusterError(
            f"The kubeconfig of {source} names neither Entra ID nor a local account"
            + (f", but the program {program!r}, which is not run." if program else ".")
        )
    return Kubeconfig(cluster, user, None)


def _by_name(content: Any, plural: str, singular: str) -> dict[str, Any]:
    return {item["name"]: item[singular] for item in content[plural]}


def _entra(user: Mapping[str, Any]) -> Entra | None:
    """Read kubelogin's arguments, or the auth provider that kubectl had before 1.26."""
    plugin = user.get("exec") or {}
    if str(plugin.get("command") or "").rpartition("/")[2].startswith("kubelogin"):
        words = [str(word) for word in plugin.get("args") or []]
        options = dict(pairwise(words))
        return Entra(options.get("--server-id") or SERVER_APPLICATION, options.get("--tenant-id"))
    provider = user.get("auth-provider") or {}
    if provider.get("name") == "azure":
        given = provider.get("config") or {}
        return Entra(given.get("apiserver-id") or SERVER_APPLICATION, given.get("tenant-id"))
    return None
