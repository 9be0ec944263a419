"""The Secret with which pods pull from the sandbox's registry, as AKS would by its own identity."""

from __future__ import annotations

import base64
import json

from sandbox.core.part import Part, SandboxError
from sandbox.core.settings import SETTINGS
from sandbox.kubernetes.cluster import Cluster
from sandbox.kubernetes.kube import Kube
from sandbox.services.registry.registry import Registry

NAME = "registry"
_NAMESPACES = SETTINGS.namespaces


class PullSecret(Part):
    """A Secret of type dockerconfigjson in each namespace; it goes when the cluster goes."""

    name = "pull-secret"
    needs = ("cluster", "registry")

    def where(self) -> str:
        return f"secret {NAME} in the namespaces {', '.join(_NAMESPACES)}"

    def ready(self) -> str | None:
        if problem := Cluster().ready():
            return problem
        try:
            secrets = [Kube().get(_path(namespace)) for namespace in _NAMESPACES]
        except SandboxError as error:
            return str(error)
        wanted = _content()
        if any(item is None or item["data"][".dockerconfigjson"] != wanted for item in secrets):
            return f"there is no current {self.where()}"
        return None

    def start(self) -> None:
        for namespace in _NAMESPACES:
            Kube().apply(
                f"/api/v1/namespaces/{namespace}",
                {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}},
            )
            Kube().apply(
                _path(namespace),
                {
                    "apiVersion": "v1",
                    "kind": "Secret",
                    "metadata": {"name": NAME},
                    "type": "kubernetes.io/dockerconfigjson",
                    "data": {".dockerconfigjson": _content()},
                },
            )

    def stop(self) -> None:
        """Nothing: the cluster takes it along; in a cluster of someone else's it does no harm."""


def _path(namespace: str) -> str:
    return f"/api/v1/namespaces/{namespace}/secrets/{NAME}"


def _content() -> str:
    registry = Registry().exports()
    login = f"{registry['REGISTRY_USER']}:{registry['REGISTRY_PASSWORD']}"
    auth = base64.b64encode(login.encode()).decode()
    auths = {"auths": {registry["REGISTRY"]: {"auth": auth}}}
    return base64.b64encode(json.dumps(auths).encode()).decode()
