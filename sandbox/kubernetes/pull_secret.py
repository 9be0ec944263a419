"""The Secret with which pods pull from the sandbox's registry. AKS would use its identity."""

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
    """A Secret of type dockerconfigjson in each namespace."""

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
        content = _content()
        if any(item is None or item["data"][".dockerconfigjson"] != content for item in secrets):
            return f"missing or outdated: {self.where()}"
        return None

    def start(self) -> None:
        for namespace in _NAMESPACES:
            Kube().apply_namespace(namespace)
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
        """Keep the Secret: it goes with the sandbox's cluster, and is harmless in a given one."""


def _path(namespace: str) -> str:
    return f"/api/v1/namespaces/{namespace}/secrets/{NAME}"


def _content() -> str:
    registry = Registry().exports()
    login = f"{registry['REGISTRY_USER']}:{registry['REGISTRY_PASSWORD']}"
    auth = base64.b64encode(login.encode()).decode()
    auths = {"auths": {registry["REGISTRY"]: {"auth": auth}}}
    return base64.b64encode(json.dumps(auths).encode()).decode()
