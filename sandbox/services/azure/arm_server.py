"""A stand-in for Azure Resource Manager. It serves only the user credentials of managed clusters.

``python -m sandbox.services.azure.arm_server --config FILE …``; ``sandbox.services.azure.arm``
writes the file. Checks run in ARM's order: version present, token, subscription, permission, group,
cluster, version known. Refusals have ARM's status, error code and wording.
"""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from sandbox.services.azure import kubeconfigs
from sandbox.services.azure.arm_tokens import Caller, TokenRefusedError, Tokens
from sandbox.services.core.web import parser, serve

API_VERSIONS = ("2024-09-01", "2025-05-01", "2026-08-01")
_TYPE = "Microsoft.ContainerService/managedClusters"
_NO_VERSION = "The api-version query parameter (?api-version=) is required for all requests."
_ACTION = f"{_TYPE}/listClusterUserCredential/action"
ROLES = {
    "Azure Kubernetes Service Cluster User Role": {_ACTION, f"{_TYPE}/read"},
    "Reader": {f"{_TYPE}/read"},
}
_PATH = (
    "/subscriptions/{subscription}/resourceGroups/{group}/providers"
    "/Microsoft.ContainerService/managedClusters/{name}/listClusterUserCredential"
)


class RefusedError(Exception):
    """Becomes ARM's error document."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code = status, code


@dataclass(frozen=True)
class Resources:
    """Subscriptions, groups, clusters and role assignments.

    ARM compares names without regard to case.
    """

    known: Mapping[str, Any]

    def cluster(self, subscription: str, group: str, name: str) -> Mapping[str, Any]:
        """The cluster. Raises RefusedError if the group or the cluster does not exist."""
        mine = [item for item in self.known["clusters"] if _same(item["group"], group)]
        mine = [item for item in mine if _same(item["subscription"], subscription)]
        if not mine:
            message = f"Resource group '{group}' could not be found."
            raise RefusedError(404, "ResourceGroupNotFound", message)
        for item in mine:
            if _same(item["name"], name):
                return dict(item)
        raise RefusedError(
            404,
            "ResourceNotFound",
            f"The Resource '{_TYPE}/{name}' under resource group '{group}' was not found. For more "
            "details please go to https://aka.ms/ARMResourceNotFoundFix",
        )

    def require_subscription(self, subscription: str) -> None:
        try:
            uuid.UUID(subscription)
        except ValueError:
            message = f"The provided subscription identifier '{subscription}' is malformed or "
            raise RefusedError(400, "InvalidSubscriptionId", message + "invalid.") from None
        if not any(_same(item["subscription"], subscription) for item in self.known["clusters"]):
            message = f"The subscription '{subscription}' could not be found."
            raise RefusedError(404, "SubscriptionNotFound", message)

    def require_permission(self, caller: Caller, scope: str) -> None:
        for item in self.known["assignments"]:
            below = scope.lower().startswith(item["scope"].lower())
            if item["client_id"] == caller.client_id and below and _ACTION in ROLES[item["role"]]:
                return
        raise RefusedError(
            403,
            "AuthorizationFailed",
            f"The client '{caller.client_id}' with object id '{caller.object_id}' does not have "
            f"authorization to perform action '{_ACTION}' over scope '{scope}' or the scope is "
            "invalid. If access was recently granted, please refresh your credentials.",
        )


def make_app(known: Mapping[str, Any]) -> FastAPI:
    app = FastAPI(openapi_url=None)
    resources = Resources(known)
    tokens = Tokens(known["tenant"], known["entra_keys"], Path(known["entra_ca"]))

    @app.exception_handler(RefusedError)
    def refused(_: Request, error: RefusedError) -> JSONResponse:
        return _error(error.status, error.code, str(error))

    @app.exception_handler(TokenRefusedError)
    def unauthenticated(_: Request, error: TokenRefusedError) -> JSONResponse:
        challenge = (
            f'Bearer authorization_uri="https://login.windows.net/{known["tenant"]}", '
            f'error="invalid_token", error_description="{error}"'
        )
        answer = _error(401, error.code, str(error))
        answer.headers["WWW-Authenticate"] = challenge
        return answer

    @app.exception_handler(HTTPException)
    def not_served(request: Request, error: HTTPException) -> JSONResponse:
        message = f"The resource '{request.url.path}' is not served by this stand-in."
        return _error(error.status_code, "InvalidResourceType", message)

    @app.post(_PATH)
    def list_cluster_user_credential(
        request: Request, subscription: str, group: str, name: str
    ) -> dict[str, Any]:
        version = request.query_params.get("api-version")
        if not version:
            raise RefusedError(400, "MissingApiVersionParameter", _NO_VERSION)
        caller = tokens.caller(request.headers.get("Authorization"))
        resources.require_subscription(subscription)
        scope = request.url.path.rpartition("/")[0]
        resources.require_permission(caller, scope)
        cluster = resources.cluster(subscription, group, name)
        _require_known(version)
        if "content-length" not in request.headers:
            raise RefusedError(411, "LengthRequired", "The request must have a content length.")
        kind = request.query_params.get("format")
        if kind not in (None, "azure", "exec"):
            message = f"The value of parameter format is invalid: '{kind}'."
            raise RefusedError(400, "InvalidParameter", message)
        text = json.dumps(kubeconfigs.user(cluster, known["tenant"], kind or "exec"))  # it is YAML
        value = base64.b64encode(text.encode()).decode()
        return {"kubeconfigs": [{"name": "clusterUser", "value": value}]}

    return app


def _require_known(version: str) -> None:
    if version not in API_VERSIONS:
        raise RefusedError(
            400,
            "NoRegisteredProviderFound",
            "No registered resource provider found for location 'westeurope' and API version "
            f"'{version}' for type 'managedClusters'. The supported api-versions are "
            f"'{', '.join(API_VERSIONS)}'.",
        )


def _error(status: int, code: str, message: str) -> JSONResponse:
    ids = {"x-ms-correlation-request-id": str(uuid.uuid4())}
    return JSONResponse({"error": {"code": code, "message": message}}, status, ids)


def _same(one: str, other: str) -> bool:
    return one.lower() == other.lower()


def main() -> None:
    command = parser(__doc__)
    command.add_argument("--config", type=Path, required=True)
    arguments = command.parse_args()
    serve(make_app(json.loads(arguments.config.read_text())), arguments)


if __name__ == "__main__":
    main()
