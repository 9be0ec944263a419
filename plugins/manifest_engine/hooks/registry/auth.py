"""Ways to log in to a registry, behind one interface.

The token protocol is distribution's ("Token Authentication Specification"); ``/oauth2/exchange`` is
ACR's (Azure/acr, docs/AAD-OAuth.md).
"""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urlsplit

from manifest_engine.domain.core.errors import RegistryError
from manifest_engine.hooks.builder.buildx import Login
from manifest_engine.hooks.registry.errors import Unauthorized

ZERO_USER = "00000000-0000-0000-0000-000000000000"
"""The user name for a refresh token (ACR)."""
_EARLY_SECONDS = 600
"""A refresh token is renewed this long before it expires, so a build or push can finish."""
_ASSUMED_SECONDS = 3600
"""Lifetime of a refresh token without ``exp``; those of ACR are valid for three hours."""
_PARAMETER = re.compile(r'(?<!\w)(\w++)="([^"]*)"')


@dataclass(frozen=True)
class Challenge:
    """``WWW-Authenticate: Bearer realm="…",service="…",scope="…"``."""

    realm: str
    service: str
    scope: str

    @classmethod
    def parse(cls, header: str) -> Challenge | None:
        """None when the registry asks for something other than a token."""
        scheme, _, rest = header.partition(" ")
        found = dict(_PARAMETER.findall(rest))
        if scheme.lower() != "bearer" or "realm" not in found:
            return None
        return cls(found["realm"], found.get("service", ""), found.get("scope", ""))

    @property
    def authority(self) -> str:
        """Scheme, host and port of the realm."""
        parts = urlsplit(self.realm)
        return f"{parts.scheme}://{parts.netloc}"


Send = Callable[..., dict[str, Any]]
"""``send(method, url, params=, data=, headers=, token_sent=)`` requests a token and returns the
JSON answer. ``token_sent`` says that the registry issued the credential that is sent."""


class Identity(Protocol):
    """The user or application that sends requests to the registry."""

    def token(self, challenge: Challenge, send: Send) -> str:
        """A bearer token for the challenge's scope."""

    def login(self, challenge: Challenge, send: Send) -> Login:
        """User and password for docker's clients."""


class PasswordIdentity:
    """Login and password: the admin user, a repository-scoped token, any other registry's user."""

    def __init__(self, login: Login) -> None:
        self._login = login

    def token(self, challenge: Challenge, send: Send) -> str:
        credentials = f"{self._login.username}:{self._login.password}".encode()
        answer = send(
            "GET",
            challenge.realm,
            params=_without_empty(service=challenge.service, scope=challenge.scope),
            headers={"Authorization": f"Basic {base64.b64encode(credentials).decode()}"},
        )
        return _access_token(answer, challenge)

    def login(self, challenge: Challenge, send: Send) -> Login:
        return self._login


class EntraIdentity:
    """An Entra ID identity, whose token is exchanged for the registry's own refresh token.

    :param entra_token: returns an Entra ID access token for the registry, cached or new.
    :param tenant: id of the tenant, if known.
    """

    def __init__(self, entra_token: Callable[[], str], tenant: str | None) -> None:
        self._entra_token = entra_token
        self._tenant = tenant
        self._refresh: tuple[str, float] | None = None

    def token(self, challenge: Challenge, send: Send) -> str:
        kept = self._refresh
        try:
            return self._by_refresh_token(challenge, send)
        except Unauthorized:
            if kept is None:
                raise  # refused although it was new
            self._refresh = None  # revoked, or issued before a role was given
            return self._by_refresh_token(challenge, send)

    def _by_refresh_token(self, challenge: Challenge, send: Send) -> str:
        answer = send(
            "POST",
            challenge.realm,
            data=_without_empty(
                grant_type="refresh_token",
                service=challenge.service,
                scope=challenge.scope,
                refresh_token=self._refresh_token(challenge, send),
            ),
            token_sent=True,
        )
        return _access_token(answer, challenge)

    def login(self, challenge: Challenge, send: Send) -> Login:
        return Login(ZERO_USER, self._refresh_token(challenge, send))

    def _refresh_token(self, challenge: Challenge, send: Send) -> str:
        now = time.time()
        if self._refresh and now < self._refresh[1] - _EARLY_SECONDS:
            return self._refresh[0]
        answer = send(
            "POST",
            f"{challenge.authority}/oauth2/exchange",
            data=_without_empty(
                grant_type="access_token",
                service=challenge.service,
                tenant=self._tenant or "",
                access_token=self._entra_token(),
            ),
        )
        token = answer.get("refresh_token")
        if not isinstance(token, str):
            raise RegistryError(
                f"{challenge.authority}/oauth2/exchange gave no refresh token; it seems to be no "
                "Azure Container Registry: use login and password in the Connection instead."
            )
        self._refresh = token, expiry(token) or now + _ASSUMED_SECONDS
        return token


def jwt_claims(token: str) -> dict[str, Any]:
    """The claims of a JSON Web Token (RFC 7519); empty for any other token.

    The signature is not checked: the registry verifies its own tokens.
    """
    try:
        payload = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (IndexError, ValueError):
        return {}
    return claims if isinstance(claims, dict) else {}


def expiry(token: str) -> float | None:
    """``exp`` of a JSON Web Token in seconds since 1970; None if it has none."""
    try:
        return float(jwt_claims(token)["exp"])
    except (KeyError, TypeError, ValueError):
        return None


def _access_token(answer: dict[str, Any], challenge: Challenge) -> str:
    token = answer.get("access_token") or answer.get("token")
    if not isinstance(token, str):
        raise RegistryError(f"{challenge.realm} answered without a token.", retryable=True)
    return token


def _without_empty(**values: str) -> dict[str, str]:
    return {name: value for name, value in values.items() if value}
