"""Tokens that Azure Resource Manager accepts: signed by the tenant, for ARM, not expired."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jwt

AUDIENCES = (
    "https://management.core.windows.net/",
    "https://management.core.windows.net",
    "https://management.azure.com/",
    "https://management.azure.com",
)


class TokenRefusedError(Exception):
    """Becomes a 401."""

    def __init__(self, code: str, message: str, challenge: str = "invalid_token") -> None:
        super().__init__(message)
        self.code, self.challenge = code, challenge


@dataclass(frozen=True)
class Caller:
    """The service principal behind a token."""

    client_id: str
    object_id: str


class Tokens:
    """Checks the Authorization header of requests.

    :param tenant: tenant of all subscriptions.
    :param keys: URL of the tenant's signing keys.
    :param ca: certificate authority of that URL.
    """

    def __init__(self, tenant: str, keys: str, ca: Path) -> None:
        self._issuer = f"https://sts.windows.net/{tenant}/"
        self._tenant = tenant
        context = ssl.create_default_context(cafile=str(ca))
        self._keys = jwt.PyJWKClient(keys, ssl_context=context, timeout=5)

    def caller(self, header: str | None, revoked_before: int = 0) -> Caller:
        """Authenticate. Raises TokenRefusedError with ARM's wording.

        :param revoked_before: tokens that were issued before this Unix time are challenged
            (github.com/Azure/azure-cli/issues/26504, read 2026-11).
        """
        if not header:
            message = "Authentication failed. The 'Authorization' header is missing."
            raise TokenRefusedError("AuthenticationFailed", message)
        kind, _, token = header.partition(" ")
        if kind.lower() != "bearer":
            message = "Authentication failed. The 'Authorization' header is provided in an invalid "
            raise TokenRefusedError("AuthenticationFailedInvalidHeader", message + "format.")
        claims = self._claims(token)
        if claims["iat"] < revoked_before:
            raise TokenRefusedError(
                "InvalidAuthenticationToken",
                "Continuous access evaluation resulted in challenge with result: "
                "InteractionRequired and code: TokenIssuedBeforeRevocationTimestamp",
                "insufficient_claims",
            )
        return Caller(claims["appid"], claims["oid"])

    def _claims(self, token: str) -> dict[str, Any]:
        try:
            unverified = jwt.decode(token, options={"verify_signature": False})
            self._require_tenant(unverified)
            key = self._keys.get_signing_key_from_jwt(token)
            return dict(
                jwt.decode(
                    token,
                    key,
                    algorithms=["RS256"],
                    audience=AUDIENCES,
                    issuer=self._issuer,
                    options={"require": ["exp", "nbf", "aud", "tid", "appid", "oid"]},
                )
            )
        except jwt.ExpiredSignatureError as error:
            now, end = datetime.now(UTC), datetime.fromtimestamp(unverified["exp"], UTC)
            raise TokenRefusedError(
                "ExpiredAuthenticationToken",
                f"The access token expiry UTC time '{end:%m/%d/%Y %I:%M:%S %p}' is earlier than "
                f"current UTC time '{now:%m/%d/%Y %I:%M:%S %p}'.",
            ) from error
        except jwt.InvalidAudienceError as error:
            allowed = ",".join(f"'{audience}'" for audience in AUDIENCES)
            raise TokenRefusedError(
                "InvalidAuthenticationTokenAudience",
                "The access token has been obtained for wrong audience or resource "
                f"'{unverified.get('aud')}'. It should exactly match with one of the allowed "
                f"audiences {allowed}.",
            ) from error
        except jwt.PyJWTError as error:
            message = "The access token is invalid."
            raise TokenRefusedError("InvalidAuthenticationToken", message) from error

    def _require_tenant(self, claims: dict[str, Any]) -> None:
        if claims.get("iss") != self._issuer or claims.get("tid") != self._tenant:
            raise TokenRefusedError(
                "InvalidAuthenticationTokenTenant",
                f"The access token is from the wrong issuer '{claims.get('iss')}'. It must match "
                f"the tenant '{self._issuer}' associated with this subscription. Please use the "
                f"authority (URL) 'https://login.windows.net/{self._tenant}' to get the token.",
            )
