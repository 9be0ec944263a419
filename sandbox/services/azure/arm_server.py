"""A stand-in for Azure Resource Manager: subscriptions, managed clusters with the credentials of
users, and registries.

``python -m sandbox.services.azure.arm_server --config FILE …``; ``sandbox.services.azure.arm``
writes the file. Checks run in ARM's order: version present, token, subscription, permission, group,
cluster, version known. Refusals have ARM's status, error code and wording.
"""

from __future__ import annotations

import base64
import json
import re
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from sandbox.services.azure import arm_documents as documents
from sandbox.services.azure import azure_faults, kubeconfigs
from sandbox.services.azure.arm_documents import CLUSTERS, REGISTRIES
from sandbox.services.azure.arm_resources import CREDENTIALS, RefusedError, Resources, same
from sandbox.services.azure.arm_tokens import Caller, TokenRefusedError, Tokens
from sandbox.services.core.web import parser, serve

API_VERSIONS = ("2024-09-01", "2025-05-01", "2026-06-01", "2026-08-01")
"""API versions for managed clusters."""
_NO_VERSION = "The api-version query parameter (?api-version=) is required for all requests."
_SUBSCRIPTION = "/subscriptions/{subscription}"
_GROUP = f"{_SUBSCRIPTION}/resourceGroups/{{group}}/providers"
_CLUSTER = f"{_GROUP}/{CLUSTERS}/{{name}}"
_REGISTRY = f"{_GROUP}/{REGISTRIES}/{{name}}"
_THROTTLED = (
    f"Number of requests for action '{CLUSTERS}/read' exceeded the limit of '50' for time interval "
    "'00:05:00'. Please try again after '1' seconds."
)
"""Source: github.com/Azure/azqr/issues/34, read 2026-11."""
_FILTER = re.compile(r"resourceType eq '([^']+)'")


def _authenticate(request: Request) -> Caller:
    if not request.query_params.get("api-version"):
        raise RefusedError(400, "MissingApiVersionParameter", _NO_VERSION)
    faults: azure_faults.Faults = request.app.state.faults
    if faults.throttle():
        raise RefusedError(429, "ResourceRequestsThrottled", _THROTTLED)
    tokens: Tokens = request.app.state.tokens
    return tokens.caller(request.headers.get("Authorization"), faults.revoked_before)


Authenticated = Annotated[Caller, Depends(_authenticate)]


def make_app(known: Mapping[str, Any], *, with_faults: bool = False) -> FastAPI:
    app = FastAPI(openapi_url=None)
    resources = Resources(known)
    faults = azure_faults.install(app, active=with_faults)
    app.state.faults = faults
    app.state.tokens = Tokens(known["tenant"], known["entra_keys"], Path(known["entra_ca"]))
    _explain_refusals(app, known["tenant"], faults)

    def permitted(caller: Caller, subscription: str, action: str, scope: str) -> None:
        resources.require_subscription(subscription)
        resources.require_permission(caller, action, scope)

    @app.get("/subscriptions")
    def list_subscriptions(caller: Authenticated) -> dict[str, Any]:
        names = resources.subscriptions(caller)
        found = [documents.subscription(name, known["tenant"]) for name in names]
        return {"value": found, "count": {"type": "Total", "value": len(found)}}

    @app.get(_SUBSCRIPTION)
    def get_subscription(caller: Authenticated, subscription: str) -> dict[str, Any]:
        resources.require_subscription(subscription)
        return documents.subscription(subscription, known["tenant"])

    @app.get(f"{_SUBSCRIPTION}/resources")
    def list_resources(
        caller: Authenticated, request: Request, subscription: str
    ) -> dict[str, Any]:
        """The resources that the caller may read."""
        resources.require_subscription(subscription)
        kinds = _FILTER.findall(request.query_params.get("$filter", "")) or [CLUSTERS, REGISTRIES]
        found = [
            documents.resource(item, kind)
            for kind in (CLUSTERS, REGISTRIES)
            if any(same(kind, asked) for asked in kinds)
            for item in resources.of(kind)
            if same(item["subscription"], subscription)
            and resources.allows(caller, f"{kind}/read", documents.identifier(item, kind))
        ]
        return {"value": found}

    @app.get(_CLUSTER)
    def get_cluster(
        caller: Authenticated, request: Request, subscription: str, group: str, name: str
    ) -> dict[str, Any]:
        permitted(caller, subscription, f"{CLUSTERS}/read", request.url.path)
        found = resources.find(CLUSTERS, subscription, group, name)
        _require_known(request)
        return documents.cluster(found, known["tenant"])

    @app.get(_REGISTRY)
    def get_registry(
        caller: Authenticated, request: Request, subscription: str, group: str, name: str
    ) -> dict[str, Any]:
        permitted(caller, subscription, f"{REGISTRIES}/read", request.url.path)
        return documents.registry(resources.find(REGISTRIES, subscription, group, name))

    @app.post(f"{_CLUSTER}/listClusterUserCredential")
    def list_cluster_user_credential(
        caller: Authenticated, request: Request, subscription: str, group: str, name: str
    ) -> dict[str, Any]:
        scope = request.url.path.rpartition("/")[0]
        permitted(caller, subscription, CREDENTIALS, scope)
        cluster = resources.find(CLUSTERS, subscription, group, name)
        _require_known(request)
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


def _explain_refusals(app: FastAPI, tenant: str, faults: azure_faults.Faults) -> None:
    @app.exception_handler(RefusedError)
    def refused(_: Request, error: RefusedError) -> JSONResponse:
        answer = _error(error.status, error.code, str(error))
        if error.status == 429:
            answer.headers["Retry-After"] = "1"
        return answer

    @app.exception_handler(TokenRefusedError)
    def unauthenticated(_: Request, error: TokenRefusedError) -> JSONResponse:
        challenge = (
            f'Bearer authorization_uri="https://login.windows.net/{tenant}", '
            f'error="{error.challenge}", error_description="{error}"'
        )
        if error.challenge == "insufficient_claims":
            challenge += f', claims="{faults.claims()}"'
        answer = _error(401, error.code, str(error))
        answer.headers["WWW-Authenticate"] = challenge
        return answer

    @app.exception_handler(HTTPException)
    def not_served(request: Request, error: HTTPException) -> JSONResponse:
        message = f"The resource '{request.url.path}' is not served by this stand-in."
        return _error(error.status_code, "InvalidResourceType", message)


def _require_known(request: Request) -> None:
    version = request.query_params["api-version"]
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


def main() -> None:
    command = parser(__doc__)
    command.add_argument("--config", type=Path, required=True)
    command.add_argument("--faults", action="store_true")
    arguments = command.parse_args()
    config = json.loads(arguments.config.read_text())
    serve(make_app(config, with_faults=arguments.faults), arguments)


if __name__ == "__main__":
    main()
