"""A stand-in for the instance metadata service (IMDS). It serves only tokens of managed identities.

``python -m sandbox.services.azure.imds_server --identity FILE --user CLIENT_ID …``; the file is the
Entra ID stand-in's, whose applications act as the identities of this machine. Plain HTTP, as IMDS.
Refusals have IMDS's status and wording.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jwt
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from sandbox.services.azure.entra_server import RefusedError as EntraRefusedError
from sandbox.services.azure.entra_server import Tenant
from sandbox.services.core.web import parser, serve

_VERSIONS = ("2018-02-01", "2019-08-01", "2021-02-01")
_SELECTORS = {"client_id": "client_id", "object_id": "object_id", "principal_id": "object_id"}
_AMBIGUOUS = (
    "Multiple user assigned identities exist, please specify the clientId / resourceId of the "
    "identity in the token request"
)


class RefusedError(Exception):
    """Becomes IMDS's error document, with status 400."""

    def __init__(self, error: str, message: str) -> None:
        super().__init__(message)
        self.error = error


def make_app(tenant: Tenant, *, system: str | None, users: Sequence[str]) -> FastAPI:
    """
    :param system: client id of the system-assigned identity.
    :param users: client ids of the user-assigned identities.
    """
    app = FastAPI(openapi_url=None)

    @app.exception_handler(RefusedError)
    def refused(_: Request, error: RefusedError) -> JSONResponse:
        return JSONResponse({"error": error.error, "error_description": str(error)}, 400)

    def identity(asked: Mapping[str, str]) -> Mapping[str, Any]:
        assigned = [tenant.client(one) for one in [*users, *([system] if system else [])]]
        for name, field in _SELECTORS.items():
            if name in asked:
                for known in assigned:
                    if known[field] == asked[name]:
                        return known
                raise RefusedError("invalid_request", "Identity not found")
        if system:
            return tenant.client(system)
        if len(users) == 1:
            return tenant.client(users[0])
        raise RefusedError("invalid_request", _AMBIGUOUS if users else "Identity not found")

    @app.get("/metadata/identity/oauth2/token")
    def token(request: Request) -> dict[str, str]:
        asked = request.query_params
        # IMDS accepts no request that a proxy forwarded or that an attacker forged (SSRF).
        if request.headers.get("Metadata", "").lower() != "true":
            raise RefusedError("bad_request_102", "Required metadata header not specified")
        if "X-Forwarded-For" in request.headers:
            raise RefusedError("bad_request_104", "Request contains the header X-Forwarded-For")
        if "api-version" not in asked:
            message = "Required query variable 'api-version' is missing"
            raise RefusedError("invalid_request", message)
        if asked["api-version"] not in _VERSIONS:
            message = f"The api-version is invalid; the newest ones are {', '.join(_VERSIONS)}"
            raise RefusedError("invalid_request", message)
        if not (resource := asked.get("resource")):
            raise RefusedError("invalid_request", "Required audience parameter not specified")
        client = identity(asked)
        try:
            audience = tenant.resource(f"{resource}/.default")
        except EntraRefusedError as error:
            raise RefusedError("invalid_resource", f"AADSTS{error.number}: {error}") from error
        given = tenant.token(client, audience, "2")
        ends = jwt.decode(given, options={"verify_signature": False})["exp"]
        left = str(ends - int(time.time()))
        return {  # numbers are text
            "access_token": given,
            "client_id": str(client["client_id"]),
            "expires_in": left,
            "expires_on": str(ends),
            "ext_expires_in": left,
            "not_before": str(int(time.time())),
            "resource": resource,
            "token_type": "Bearer",
        }

    return app


def main() -> None:
    command = parser(__doc__)
    command.add_argument("--identity", type=Path, required=True)
    command.add_argument("--system", help="client id of the system-assigned identity")
    command.add_argument("--user", action="append", default=[], help="client id, user-assigned")
    arguments = command.parse_args()
    tenant = Tenant(json.loads(arguments.identity.read_text()))
    serve(make_app(tenant, system=arguments.system, users=arguments.user), arguments)


if __name__ == "__main__":
    main()
