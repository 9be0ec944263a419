"""The roles of ``include/rbac.yaml``, bound to the application that deploys."""

from __future__ import annotations

from typing import Any

import yaml

from sandbox import entra
from sandbox.cluster import Cluster
from sandbox.kube import Kube
from sandbox.part import Part, SandboxError
from sandbox.settings import REPOSITORY, SETTINGS

_GROUP = "rbac.authorization.k8s.io"
_API = f"/apis/{_GROUP}/v1"
ROLE, ROUTES = "manifest-engine", "manifest-engine-routes"


def binding(kind: str, role: str, object_id: str) -> dict[str, Any]:
    """A RoleBinding or ClusterRoleBinding of a ClusterRole, as the file's head says."""
    return {
        "apiVersion": f"{_GROUP}/v1",
        "kind": kind,
        "metadata": {"name": role},
        "roleRef": {"apiGroup": _GROUP, "kind": "ClusterRole", "name": role},
        "subjects": [{"apiGroup": _GROUP, "kind": "User", "name": object_id}],
    }


class Rbac(Part):
    """What the identity of the environment ``aks`` may do; all goes when the cluster goes."""

    name = "rbac"
    needs = ("cluster", "entra")

    def where(self) -> str:
        return f"ClusterRole {ROLE} in namespace {SETTINGS.namespace}"

    def ready(self) -> str | None:
        if problem := Cluster().ready():
            return problem
        try:
            for path, wanted in _objects():
                if not _holds(Kube().get(path) or {}, wanted):
                    return f"{wanted['kind']} {wanted['metadata']['name']} is not as it should be"
        except SandboxError as error:
            return str(error)
        return None

    def start(self) -> None:
        for path, wanted in _objects():
            Kube().apply(path, wanted)

    def stop(self) -> None:
        """Nothing: the cluster takes it along."""


def _objects() -> list[tuple[str, dict[str, Any]]]:
    """Paths and contents."""
    deployer = entra.identity()["clients"][0]["object_id"]
    roles = list(yaml.safe_load_all((REPOSITORY / "include/rbac.yaml").read_text()))
    found = [(f"{_API}/clusterroles/{role['metadata']['name']}", role) for role in roles]
    here = f"{_API}/namespaces/{SETTINGS.namespace}/rolebindings/{ROLE}"
    everywhere = f"{_API}/clusterrolebindings/{ROUTES}"
    return [
        *found,
        (here, binding("RoleBinding", ROLE, deployer)),
        (everywhere, binding("ClusterRoleBinding", ROUTES, deployer)),
    ]


def _holds(live: dict[str, Any], wanted: dict[str, Any]) -> bool:
    return all(live.get(key) == wanted[key] for key in ("rules", "subjects") if key in wanted)
