"""The roles of ``include/rbac.yaml``, so that tests never deploy as a cluster admin."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from sandbox.core.part import Part, SandboxError
from sandbox.core.settings import REPOSITORY, SETTINGS
from sandbox.kubernetes import files as cluster_files
from sandbox.kubernetes.cluster import Cluster
from sandbox.kubernetes.kube import Kube
from sandbox.services.azure import entra

_GROUP = "rbac.authorization.k8s.io"
_API = f"/apis/{_GROUP}/v1"
ROLE, ROUTES = "manifest-engine", "manifest-engine-routes"
_NAMESPACES = SETTINGS.namespaces
USER = "deployer"
"""User name in the client certificate for the environments ``dev``, ``prod`` and ``stage``."""


def kubeconfig() -> Path:
    """The kubeconfig of ``USER``."""
    return cluster_files.HOME / "deployer.conf"


def binding(kind: str, role: str, user: str, name: str | None = None) -> dict[str, Any]:
    """A RoleBinding or ClusterRoleBinding of a ClusterRole, as described in ``include/rbac.yaml``.

    :param user: object id of an identity in Entra ID, or the name in a client certificate.
    :param name: name of the binding; default: the name of the role.
    """
    return {
        "apiVersion": f"{_GROUP}/v1",
        "kind": kind,
        "metadata": {"name": name or role},
        "roleRef": {"apiGroup": _GROUP, "kind": "ClusterRole", "name": role},
        "subjects": [{"apiGroup": _GROUP, "kind": "User", "name": user}],
    }


class Rbac(Part):
    """Roles and bindings of the environments."""

    name = "rbac"
    needs = ("cluster", "entra", "pull-secret")
    """``pull-secret`` makes the namespaces."""

    def where(self) -> str:
        return f"ClusterRole {ROLE} in the namespaces {', '.join(_NAMESPACES)}"

    def ready(self) -> str | None:
        if problem := Cluster().ready():
            return problem
        if not kubeconfig().exists():
            return f"{kubeconfig()} does not exist"
        try:
            for path, desired in _objects():
                if not _holds(Kube().get(path) or {}, desired):
                    return f"{desired['kind']} {desired['metadata']['name']} is missing or outdated"
        except SandboxError as error:
            return str(error)
        return None

    def start(self) -> None:
        cluster_files.write_kubeconfig(kubeconfig(), USER)
        for path, desired in _objects():
            Kube().apply(path, desired)

    def stop(self) -> None:
        """The objects go with the cluster."""


def _objects() -> list[tuple[str, dict[str, Any]]]:
    """Paths and contents of roles and bindings."""
    deployer = entra.identity()["clients"][0]["object_id"]
    roles = list(yaml.safe_load_all((REPOSITORY / "include/rbac.yaml").read_text()))
    found = [(f"{_API}/clusterroles/{role['metadata']['name']}", role) for role in roles]
    here = f"{_API}/namespaces/{SETTINGS.namespace}/rolebindings/{ROLE}"
    everywhere = f"{_API}/clusterrolebindings"
    return [
        *found,
        (here, binding("RoleBinding", ROLE, deployer)),
        (f"{everywhere}/{ROUTES}", binding("ClusterRoleBinding", ROUTES, deployer)),
        *(
            (
                f"{_API}/namespaces/{namespace}/rolebindings/{USER}",
                binding("RoleBinding", ROLE, USER, USER),
            )
            for namespace in _NAMESPACES
        ),
        (f"{everywhere}/{USER}", binding("ClusterRoleBinding", ROUTES, USER, USER)),
    ]


def _holds(live: dict[str, Any], desired: dict[str, Any]) -> bool:
    return all(live.get(key) == desired[key] for key in ("rules", "subjects") if key in desired)
