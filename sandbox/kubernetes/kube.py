"""A small Kubernetes client: get and apply.

Objects are dictionaries and paths are API paths, so the same call works for core objects, custom
resources and their definitions.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from sandbox.core.part import SandboxError
from sandbox.core.settings import SETTINGS

_MANAGER = "manifest-engine-sandbox"
_SECONDS = 10
"""Time limit of one call, enough also during a build."""

OWN_KUBECONFIG = SETTINGS.state / "kubeconfig"

Object = dict[str, Any]


def kubeconfig() -> Path:
    """The kubeconfig of ``SANDBOX_KUBECONFIG``, else of the sandbox's own cluster."""
    return Path(SETTINGS.kubeconfig) if SETTINGS.kubeconfig else OWN_KUBECONFIG


class Kube:
    """A client for the cluster that ``kubeconfig()`` names."""

    def __init__(self) -> None:
        from kubernetes import config

        self._client = config.new_client_from_config(str(kubeconfig()))

    def get(self, path: str) -> Object | None:
        """The object at ``path``, or None. Raises SandboxError."""
        return self._object("GET", path)

    def apply(self, path: str, content: Object) -> Object:
        """Create or update the object at ``path`` (server-side apply). Raises SandboxError."""
        applied = self._object("PATCH", f"{path}?fieldManager={_MANAGER}&force=true", content)
        if applied is None:
            raise SandboxError(f"the API server has no {path}: is the kind installed?")
        return applied

    def apply_namespace(self, name: str) -> None:
        content = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        self.apply(f"/api/v1/namespaces/{name}", content)

    def text(self, path: str) -> str:
        """The answer of a path that is not an object, such as ``/readyz``. Raises SandboxError."""
        return (self._call("GET", path, None) or b"").decode()

    def _object(self, method: str, path: str, content: Object | None = None) -> Object | None:
        answer = self._call(method, path, content)
        return None if answer is None else json.loads(answer)

    def _call(self, method: str, path: str, content: Object | None) -> bytes | None:
        from kubernetes.client import ApiException
        from urllib3.exceptions import HTTPError

        try:
            response = self._client.call_api(
                path,
                method,
                header_params={
                    "Accept": "application/json, */*",
                    "Content-Type": "application/apply-patch+yaml",  # JSON is YAML
                },
                body=content,
                auth_settings=["BearerToken"],
                _preload_content=False,
                _return_http_data_only=True,
                _request_timeout=_SECONDS,
            )
        except ApiException as error:
            if error.status == 404:
                return None
            raise SandboxError(f"{method} {path}: {error.status} {error.body}") from error
        except (HTTPError, OSError) as error:
            raise SandboxError(f"{method} {path}: {error}") from error
        return bytes(response.data)


def condition(content: Object | None, kind: str) -> str:
    """The status of a condition: ``True``, ``False`` or ``Unknown``, the default."""
    conditions = ((content or {}).get("status") or {}).get("conditions") or []
    return next((str(item["status"]) for item in conditions if item["type"] == kind), "Unknown")
