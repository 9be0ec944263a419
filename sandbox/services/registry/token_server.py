"""A stand-in for ACR's token service. The registry trusts the tokens that it signs.

``python -m sandbox.services.registry.token_server --config FILE --host H --port P``; the file is
the JSON of ``Config``. ACR serves these paths at the login server. Here they are at the host of the
challenge's ``realm``, which a client has to read in both cases.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import ssl
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from sandbox.services.core.web import Form, parser, serve

ACR_AUDIENCE = "https://containerregistry.azure.net"
ZERO_USER = "00000000-0000-0000-0000-000000000000"
ROLES = {
    "AcrPull": {"pull"},
    "AcrPush": {"pull", "push"},
    "Owner": {"pull", "push", "delete", "*"},
}
_ACCESS_SECONDS = 300
_UNAUTHORIZED = (
    "authentication required, visit https://aka.ms/acr/authorization for more information."
)


class RefusedError(Exception):
    """Becomes ACR's error document."""

    def __init__(self, message: str, status: int = 401, code: str = "UNAUTHORIZED") -> None:
        super().__init__(message)
        self.message, self.status, self.code = message, status, code


@dataclass(frozen=True)
class Config:
    """The server's configuration."""

    service: str
    """The login server, which every request must name."""
    issuer: str
    certificate: Path
    key: Path
    """The EC pair that signs access tokens. The registry trusts only this certificate."""
    user: str
    password: str
    tenant: str
    entra_keys: str
    """URL of the keys that sign Entra ID tokens."""
    entra_ca: Path
    roles: dict[str, str]
    """Role by application id."""
    refresh_seconds: int = 10800

    @classmethod
    def load(cls, path: Path) -> Config:
        known = json.loads(path.read_text())
        paths = {name: Path(known[name]) for name in ("certificate", "key", "entra_ca")}
        return cls(**{**known, **paths})


@dataclass(frozen=True)
class Caller:
    """An authenticated client, and what it may do in every repository."""

    name: str
    actions: frozenset[str]


class TokenService:
    """The rules of the token service, without HTTP."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._key = config.key.read_bytes()
        certificate = x509.load_pem_x509_certificate(config.certificate.read_bytes())
        self._key_id = _libtrust_id(certificate)
        # Only this server reads and verifies refresh tokens.
        self._refresh_key = hashlib.sha256(b"refresh" + self._key).digest()
        self._entra: jwt.PyJWKClient | None = None

    def exchange(self, form: dict[str, str]) -> str:
        """Exchange an Entra ID token for a refresh token."""
        if form.get("grant_type") != "access_token":
            raise RefusedError("grant_type must be access_token", 400, "UNSUPPORTED")
        self._require_service(form)
        tenant = form.get("tenant", self._config.tenant)
        if tenant != self._config.tenant:
            raise RefusedError(f"tenant {tenant} is not the registry's")
        claims = self._entra_claims(form.get("access_token", ""))
        role = self._config.roles.get(claims["appid"])
        if role is None:
            raise RefusedError(f"principal {claims['oid']} has no role on this registry")
        now = int(time.time())
        content = {
            "iss": self._config.issuer,
            "aud": self._config.service,
            "sub": claims["oid"],
            "appid": claims["appid"],
            "grant_type": "refresh_token",
            "iat": now,
            "nbf": now,
            "exp": now + self._config.refresh_seconds,
        }
        return jwt.encode(content, self._refresh_key, "HS256")

    def by_refresh_token(self, token: str) -> Caller:
        try:
            claims = jwt.decode(
                token, self._refresh_key, algorithms=["HS256"], audience=self._config.service
            )
        except jwt.ExpiredSignatureError as error:
            raise RefusedError("the refresh token has expired") from error
        except jwt.InvalidTokenError as error:
            raise RefusedError("the refresh token is not valid") from error
        role = self._config.roles.get(claims["appid"], "")
        return Caller(claims["sub"], frozenset(ROLES.get(role, ())))

    def by_password(self, user: str, password: str) -> Caller:
        if user == ZERO_USER:
            return self.by_refresh_token(password)
        correct = secrets.compare_digest(password.encode(), self._config.password.encode())
        if user != self._config.user or not correct:
            raise RefusedError(_UNAUTHORIZED)
        return Caller(user, frozenset(ROLES["Owner"]))

    def access_token(self, caller: Caller, parameters: dict[str, str], scopes: list[str]) -> str:
        """A token for those of the requested actions that the caller may do; possibly none."""
        self._require_service(parameters)
        now = int(time.time())
        claims = {
            "iss": self._config.issuer,
            "sub": caller.name,
            "aud": self._config.service,
            "iat": now,
            "nbf": now - 5,
            "exp": now + _ACCESS_SECONDS,
            "jti": secrets.token_hex(8),
            "access": [_granted(scope, caller) for scope in scopes],
        }
        return jwt.encode(claims, self._key, "ES256", {"kid": self._key_id})

    def _require_service(self, parameters: dict[str, str]) -> None:
        service = parameters.get("service", "")
        if service != self._config.service:
            raise RefusedError(f"service {service!r} is not {self._config.service}")

    def _entra_claims(self, token: str) -> dict[str, Any]:
        if self._entra is None:
            context = ssl.create_default_context(cafile=str(self._config.entra_ca))
            self._entra = jwt.PyJWKClient(self._config.entra_keys, ssl_context=context, timeout=5)
        try:
            key = self._entra.get_signing_key_from_jwt(token)
            claims = jwt.decode(
                token,
                key,
                algorithms=["RS256"],
                audience=ACR_AUDIENCE,
                issuer=f"https://sts.windows.net/{self._config.tenant}/",
                options={"require": ["exp", "aud", "tid", "appid", "oid"]},
            )
        except jwt.PyJWTError as error:
            raise RefusedError(f"the access token is not valid: {error}") from error
        if claims["tid"] != self._config.tenant:
            raise RefusedError(f"the access token is of tenant {claims['tid']}")
        return dict(claims)


def make_app(config: Config) -> FastAPI:
    app = FastAPI(openapi_url=None)
    service = TokenService(config)

    @app.exception_handler(RefusedError)
    def refused(_: Request, error: RefusedError) -> JSONResponse:
        body = {"errors": [{"code": error.code, "message": error.message, "detail": None}]}
        return JSONResponse(body, error.status)

    @app.post("/oauth2/exchange")
    def exchange(form: Form) -> dict[str, str]:
        return {"refresh_token": service.exchange(form.first)}

    @app.post("/oauth2/token")
    def token(form: Form) -> dict[str, str]:
        given = form.first
        if given.get("grant_type") == "refresh_token":
            caller = service.by_refresh_token(given.get("refresh_token", ""))
        elif given.get("grant_type") == "password":
            caller = service.by_password(given.get("username", ""), given.get("password", ""))
        else:
            raise RefusedError("unsupported grant_type", 400, "UNSUPPORTED")
        return {"access_token": service.access_token(caller, given, form.scopes)}

    @app.get("/oauth2/token")
    def token_for_engine(request: Request) -> dict[str, str]:
        caller = service.by_password(*_basic(request.headers.get("Authorization", "")))
        scopes = _scopes(request.query_params.getlist("scope"))
        return {"access_token": service.access_token(caller, dict(request.query_params), scopes)}

    return app


def _basic(header: str) -> tuple[str, str]:
    kind, _, value = header.partition(" ")
    if kind.lower() != "basic":
        raise RefusedError(_UNAUTHORIZED)
    try:
        user, _, password = base64.b64decode(value).decode().partition(":")
    except ValueError as error:
        raise RefusedError(_UNAUTHORIZED) from error
    return user, password


def _scopes(values: list[str]) -> list[str]:
    return [scope for value in values for scope in value.split()]


def _granted(scope: str, caller: Caller) -> dict[str, Any]:
    """The ``access`` entry for a scope ``repository:NAME:pull,push``; NAME may contain a colon."""
    kind, _, rest = scope.partition(":")
    name, _, actions = rest.rpartition(":")
    # The role "Data Importer and Data Reader" lists repositories by the action registries/pull/read
    # alone (learn.microsoft.com, built-in-roles/containers, read 2026-11).
    lists = (kind, name) == ("registry", "catalog") and "pull" in caller.actions
    granted = {*caller.actions, "*"} if lists else caller.actions
    return {
        "type": kind,
        "name": name,
        "actions": [action for action in actions.split(",") if action in granted],
    }


def _libtrust_id(certificate: x509.Certificate) -> str:
    """The key id (libtrust) by which distribution 2.8 finds the key in its bundle."""
    spki = certificate.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    word = base64.b32encode(hashlib.sha256(spki).digest()[:30]).decode()
    return ":".join(word[i : i + 4] for i in range(0, len(word), 4))


def main() -> None:
    command = parser(__doc__)
    command.add_argument("--config", type=Path, required=True)
    arguments = command.parse_args()
    serve(make_app(Config.load(arguments.config)), arguments)


if __name__ == "__main__":
    main()
