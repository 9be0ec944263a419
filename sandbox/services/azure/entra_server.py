"""A stand-in for Entra ID: discovery, keys, and tokens for the client credentials grant.

``python -m sandbox.services.azure.entra_server --identity FILE …``; the module ``entra`` writes the
file. Refusals have Entra ID's AADSTS number, status and OAuth error code. All tokens are version 1,
because ACR, ARM and AKS ask for version 1.
"""

from __future__ import annotations

import json
import secrets
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from jwt.algorithms import RSAAlgorithm

from sandbox.services.azure import azure_faults
from sandbox.services.azure.assertions import AssertionRefusedError, check
from sandbox.services.core.web import Form, parser, serve

_ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


class RefusedError(Exception):
    """Becomes Entra ID's error document."""

    def __init__(self, status: int, error: str, number: int, message: str) -> None:
        super().__init__(message)
        self.status, self.error, self.number = status, error, number


@dataclass(frozen=True)
class Tenant:
    """One tenant, its applications and its signing key."""

    known: Mapping[str, Any]

    @property
    def id(self) -> str:
        return str(self.known["tenant"])

    @property
    def issuer(self) -> str:
        """The issuer of version 1 tokens, in Entra ID's form."""
        return f"https://sts.windows.net/{self.id}/"

    @property
    def key(self) -> rsa.RSAPrivateKey:
        key = serialization.load_pem_private_key(self.known["signing_key"].encode(), None)
        assert isinstance(key, rsa.RSAPrivateKey)
        return key

    @property
    def key_id(self) -> str:
        public = self.key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        digest = hashes.Hash(hashes.SHA256())
        digest.update(public)
        return digest.finalize().hex()[:27]

    def client(self, client_id: str) -> Mapping[str, Any]:
        for client in self.known["clients"]:
            if client["client_id"] == client_id:
                return dict(client)
        message = f"Application with identifier '{client_id}' was not found in the directory"
        raise RefusedError(400, "unauthorized_client", 700016, message)

    def resource(self, scope: str) -> str:
        """The audience of the scope ``<resource>/.default``."""
        name, dot, rest = scope.rpartition("/.default")
        if not dot or rest:
            message = f"The provided value for scope {scope} is not valid: it must end in /.default"
            raise RefusedError(400, "invalid_scope", 1002012, message)
        for known in self.known["resources"]:
            if name.removeprefix("api://").rstrip("/") == known:
                # A slash at the end of the requested resource is kept in aud.
                return name.removeprefix("api://")
        message = f"The resource principal named {name} was not found in the tenant"
        raise RefusedError(400, "invalid_resource", 500011, message)

    def token(self, client: Mapping[str, Any], audience: str, how: str) -> str:
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "aud": audience,
            "tid": self.id,
            "appid": client["client_id"],
            "appidacr": how,
            "oid": client["object_id"],
            "sub": client["object_id"],
            "idtyp": "app",
            "iat": now,
            "nbf": now,
            "exp": now + int(self.known["token_seconds"]),
            "uti": secrets.token_urlsafe(16),
            "ver": "1.0",
        }
        return jwt.encode(claims, self.key, "RS256", {"kid": self.key_id, "x5t": self.key_id})


def make_app(tenant: Tenant, *, with_faults: bool = False) -> FastAPI:
    app = FastAPI(openapi_url=None)
    faults = azure_faults.install(app, active=with_faults)

    @app.exception_handler(RefusedError)
    def refused(_: Request, error: RefusedError) -> JSONResponse:
        # https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow
        moment = time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime())
        trace, correlation = str(uuid.uuid4()), str(uuid.uuid4())
        body = {
            "error": error.error,
            "error_description": f"AADSTS{error.number}: {error}. Trace ID: {trace} "
            f"Correlation ID: {correlation} Timestamp: {moment}",
            "error_codes": [error.number],
            "timestamp": moment,
            "trace_id": trace,
            "correlation_id": correlation,
        }
        headers = {"Retry-After": "1"} if error.status == 429 else None
        return JSONResponse(body, error.status, headers)

    def require_tenant(name: str) -> None:
        if name != tenant.id:
            message = f"Tenant '{name}' not found"
            raise RefusedError(400, "invalid_request", 90002, message)

    def discovery(request: Request, issuer: str) -> dict[str, Any]:
        base = f"{request.url.scheme}://{request.url.netloc}/{tenant.id}"
        return {
            "issuer": issuer.format(base=base),
            "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
            "token_endpoint": f"{base}/oauth2/v2.0/token",
            "jwks_uri": f"{base}/discovery/v2.0/keys",
            "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt"],
            "response_types_supported": ["code", "id_token", "token"],
            "subject_types_supported": ["pairwise"],
            "id_token_signing_alg_values_supported": ["RS256"],
        }

    @app.get("/{name}/v2.0/.well-known/openid-configuration")
    def version_2(request: Request, name: str) -> dict[str, Any]:
        require_tenant(name)
        return discovery(request, "{base}/v2.0")

    @app.get("/{name}/.well-known/openid-configuration")
    def version_1(request: Request, name: str) -> dict[str, Any]:
        require_tenant(name)
        return discovery(request, tenant.issuer)

    @app.get("/{name}/discovery/v2.0/keys")
    def keys(name: str) -> dict[str, Any]:
        require_tenant(name)
        key = RSAAlgorithm.to_jwk(tenant.key.public_key(), as_dict=True)
        key = {"kty": "RSA", "n": key["n"], "e": key["e"], "use": "sig", "alg": "RS256"}
        return {"keys": [{**key, "kid": tenant.key_id, "x5t": tenant.key_id}]}

    @app.post("/{name}/oauth2/v2.0/token")
    def token(request: Request, name: str, form: Form) -> dict[str, Any]:
        require_tenant(name)
        if faults.throttle():
            # learn.microsoft.com/entra/identity-platform/reference-error-codes, read 2026-11
            message = "There are too many incoming requests"
            raise RefusedError(429, "temporarily_unavailable", 90055, message)
        given = form.first
        if given.get("grant_type") != "client_credentials":
            message = f"The grant type '{given.get('grant_type')}' is not supported here"
            raise RefusedError(400, "unsupported_grant_type", 70003, message)
        client = tenant.client(given.get("client_id", ""))
        endpoint = f"{request.url.scheme}://{request.url.netloc}{request.url.path}"
        how = _authenticate(client, given, endpoint)
        audience = tenant.resource(given.get("scope", ""))
        # For tests of a token that expires before its announced time.
        seconds = int(tenant.known.get("announced_seconds") or tenant.known["token_seconds"])
        return {
            "token_type": "Bearer",
            "expires_in": seconds,
            "ext_expires_in": seconds,
            "access_token": tenant.token(client, audience, how),
        }

    return app


def _authenticate(client: Mapping[str, Any], given: Mapping[str, str], endpoint: str) -> str:
    """The claim ``appidacr``: 1 for a secret, 2 for an assertion. Raises RefusedError."""
    if "client_assertion" in given:
        if given.get("client_assertion_type") != _ASSERTION_TYPE:
            message = "The client_assertion_type is not a JWT bearer's"
            raise RefusedError(400, "invalid_request", 50027, message)
        try:
            check(given["client_assertion"], client, endpoint)
        except AssertionRefusedError as error:
            raise RefusedError(401, "invalid_client", error.number, str(error)) from error
        return "2"
    if "client_secret" not in given:
        message = "The request body must contain 'client_assertion' or 'client_secret'"
        raise RefusedError(401, "invalid_client", 7000218, message)
    if not secrets.compare_digest(given["client_secret"].encode(), client["secret"].encode()):
        message = f"Invalid client secret provided for app '{client['client_id']}'"
        raise RefusedError(401, "invalid_client", 7000215, message)
    if client["secret_expires"] < time.time():
        message = f"The provided client secret keys for app '{client['client_id']}' are expired"
        raise RefusedError(401, "invalid_client", 7000222, message)
    return "1"


def main() -> None:
    command = parser(__doc__)
    command.add_argument("--identity", type=Path, required=True)
    command.add_argument("--faults", action="store_true")
    arguments = command.parse_args()
    tenant = Tenant(json.loads(arguments.identity.read_text()))
    serve(make_app(tenant, with_faults=arguments.faults), arguments)


if __name__ == "__main__":
    main()
