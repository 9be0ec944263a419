"""A few calls to a Kubernetes API server, as the sandbox needs them: get, apply, delete.

Objects are plain dictionaries and paths are those of the API, so that the same call serves core
objects, custom resources and their definitions.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from sandbox.core.part import SandboxError
from sandbox.core.settings import SETTINGS

_MANAGER = "manifest-engine-sandbox"
_SECONDS = 10
"""For one call: an API server under a build's load still answers well within it."""

OWN_KUBECONFIG = SETTINGS.state / "kubeconfig"

Object = dict[str, Any]


def kubeconfig() -> Path:
    """That of the cluster given by ``SANDBOX_KUBECONFIG``, else that of the sandbox's own."""
    return Path(SETTINGS.kubeconfig) if SETTINGS.kubeconfig else OWN_KUBECONFIG


class Kube:
    """A client for the cluster that ``kubeconfig()`` names."""

    def __init__(self) -> None:
        from kubernetes import config

        self._client = config.new_client_from_config(str(kubeconfig()))

    def get(self, path: str) -> Object | None:
        """The object at ``path``; None where there is none. Raises SandboxError."""
        return self._object("GET", path)

    def apply(self, path: str, content: Object) -> Object:
        """Create the object at ``path`` or make it be so. Raises SandboxError."""
        applied = self._object("PATCH", f"{path}?fieldManager={_MANAGER}&force=true", content)
        if applied is None:
            raise SandboxError(f"the API server does not know {path}: is its kind installed?")
        return applied

    def text(self, path: str) -> str:
        """What a path answers that is no object, such as ``/readyz``. Raises SandboxError."""
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
    """The status of a condition: ``True``, ``False``, ``Unknown``; the last also when absent."""
    conditions = ((content or {}).get("status") or {}).get("conditions") or []
    return next((str(item["status"]) for item in conditions if item["type"] == kind), "Unknown")
