"""The bearer token of the client, which is given or fetched with a user's password."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import requests

from manifest_engine.client.errors import NOT_ALLOWED, REFUSED, Stopped

TOKEN, USER, PASSWORD = "AIRFLOW_TOKEN", "AIRFLOW_USER", "AIRFLOW_PASSWORD"
"""Environment variables with the credentials. There are no options for credentials, because process
lists and pipeline logs show the command line."""
_EARLY_SECONDS = 60
"""A token with less time left is renewed before a request."""


@dataclass
class Credentials(requests.auth.AuthBase):
    """A token, a user with a password, or both. A given token is used until it expires.

    As ``auth`` of a session, an instance also stops ``requests`` from using ``~/.netrc``.
    """

    token: str
    user: str
    password: str
    _renew_at: float = 0.0

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> Credentials:
        """Read the credentials from environment variables.

        :raises Stopped: when neither a token nor a user with a password is given.
        """
        token, user, password = (environ.get(name, "").strip() for name in (TOKEN, USER, PASSWORD))
        found = cls(token, user, password)
        if not found.token and not found.can_log_in:
            raise Stopped(
                REFUSED,
                f"The login is missing: set {TOKEN}, or {USER} and {PASSWORD}, in the environment.",
            )
        found._renew_at = _expiry(found.token) - _EARLY_SECONDS
        return found

    @property
    def can_log_in(self) -> bool:
        return bool(self.user and self.password)

    def due(self) -> bool:
        """Whether the token is missing or about to expire, and a new token can be fetched."""
        return self.can_log_in and (not self.token or time.time() >= self._renew_at)

    def renew(self, post: Callable[..., requests.Response], url: str) -> None:
        """Fetch a token from ``/auth/token``.

        :raises Stopped: when the login is refused.
        """
        self.token = ""
        answer = post(url, json={"username": self.user, "password": self.password})
        try:
            self.token = str(answer.json()["access_token"])
        except (ValueError, KeyError, TypeError):
            raise Stopped(
                NOT_ALLOWED,
                f"{url} gave no token to the user {self.user!r} (HTTP {answer.status_code}). "
                f"Check {USER} and {PASSWORD}.",
            ) from None
        # Use the token's lifetime, because this machine's clock may differ from Airflow's.
        lifetime = _expiry(self.token) - _claim(self.token, "iat", time.time())
        self._renew_at = time.time() + max(lifetime - _EARLY_SECONDS, lifetime / 2)

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self.token:
            request.headers["Authorization"] = f"Bearer {self.token}"
        return request

    def __repr__(self) -> str:
        return f"Credentials(user={self.user!r})"


def _expiry(token: str) -> float:
    """Unix time at which a JWT expires; infinite for an opaque token."""
    return _claim(token, "exp", float("inf"))


def _claim(token: str, name: str, default: float) -> float:
    """A claim of a JWT (RFC 7519). The signature is not checked: only Airflow has the key."""
    try:
        payload = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        return float(claims[name])
    except (IndexError, ValueError, KeyError, TypeError):
        return default
