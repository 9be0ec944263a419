"""Requests to a registry as one identity: tokens, retries, and errors as sentences."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import requests

from manifest_engine.domain.core import printable
from manifest_engine.domain.core.errors import ConfigurationError, RegistryError
from manifest_engine.hooks.builder.buildx import Login
from manifest_engine.hooks.core import http_answers
from manifest_engine.hooks.core.retrying import NoAnswerInTime, send_with_retries
from manifest_engine.hooks.registry import errors
from manifest_engine.hooks.registry.auth import Challenge, Identity, PasswordIdentity

_TIMEOUT = (5, 30)
"""Seconds to connect, and between two pieces of an answer."""


class RegistryHttp:
    """Sends requests to one registry as one identity.

    :param url: ``https://host[:port]``.
    :param verify: True, or the path of a file or folder with certificate authorities.
    :param deadline_seconds: limit for one request with all its retries.
    """

    def __init__(
        self, url: str, identity: Identity, *, verify: bool | str, deadline_seconds: float
    ) -> None:
        self.url = url
        self.host = urlsplit(url).netloc
        self._identity = identity
        self._deadline = deadline_seconds
        self._verify = verify
        self._session = http_answers.session()
        self._session.auth = http_answers.Anonymous()
        self._challenge: Challenge | None = None
        self._tokens: dict[str, str] = {}

    def login(self) -> Login:
        """User and password for docker's clients, good for at least ten minutes."""
        return self._identity.login(self._token_service(), self._send_for_token)

    def check(self) -> None:
        """Log in as ``docker login`` does: with user and password, for no repository.

        :raises RegistryError: when the registry does not answer or refuses the login.
        """
        if self._send("GET", f"{self.url}/v2/").ok:
            return
        login = PasswordIdentity(self.login())
        bearer = login.token(self._token_service(), self._send_for_token)
        answer = self._send("GET", f"{self.url}/v2/", headers=_bearer(bearer))
        if not answer.ok:
            raise errors.refusal(answer, host=self.host, action="reach it", token_sent=True)

    def token(self, scope: str) -> str:
        """A new bearer token; the registry grants those actions of the scope that it allows."""
        challenge = replace(self._token_service(), scope=scope)
        return self._identity.token(challenge, self._send_for_token)

    def ask(
        self,
        method: str,
        path: str,
        scope: str,
        action: str,
        *,
        missing: bool = False,
        headers: dict[str, str] | None = None,
        data: bytes | None = None,
    ) -> requests.Response:
        """Send one request, and once more with a new token when the token has expired.

        :param scope: ``repository:name:actions`` of the token.
        :param action: what the request does, for the error.
        :param missing: whether 404 is a valid answer.
        :raises RegistryError: when the registry refuses the request, or does not answer in time.
        """
        for _ in range(2):
            bearer = self._tokens.get(scope)
            given = {**(headers or {}), **(_bearer(bearer) if bearer else {})}
            answer = self._send(method, self.url + path, headers=given, data=data)
            if answer.status_code != 401:
                break
            challenge = Challenge.parse(answer.headers.get("WWW-Authenticate", ""))
            if challenge is None:
                break
            self._accept(challenge)
            # ACR refuses a request for a token without a scope.
            asked = replace(challenge, scope=challenge.scope or scope)
            self._tokens[scope] = self._identity.token(asked, self._send_for_token)
        if answer.ok or (missing and answer.status_code == 404):
            return answer
        raise errors.refusal(
            answer, host=self.host, action=action, token_sent=scope in self._tokens
        )

    def _token_service(self) -> Challenge:
        if self._challenge is None:
            answer = self._send("GET", f"{self.url}/v2/")
            if answer.status_code == 403:
                raise errors.refusal(answer, host=self.host, action="reach it")
            challenge = Challenge.parse(answer.headers.get("WWW-Authenticate", ""))
            self._accept(challenge or Challenge(f"{self.url}/oauth2/token", self.host, ""))
        assert self._challenge is not None  # noqa: S101 - set above
        return self._challenge

    def _accept(self, challenge: Challenge) -> None:
        """Remember the token service: it is the same for every scope."""
        if self.url.startswith("https://") and not challenge.realm.startswith("https://"):
            raise RegistryError(
                f"The registry {self.host} wants the login sent to {challenge.realm}, which is not "
                "https; it is not sent there."
            )
        self._challenge = challenge

    def _send_for_token(
        self, method: str, url: str, *, token_sent: bool = False, **options: Any
    ) -> dict[str, Any]:
        answer = self._send(method, url, **options)
        if not answer.ok:
            action = f"get a token from {urlsplit(url).netloc}"
            raise errors.refusal(answer, host=self.host, action=action, token_sent=token_sent)
        token: dict[str, Any] = answer.json()
        return token

    def _send(self, method: str, url: str, **options: Any) -> requests.Response:
        def once() -> requests.Response:
            options["verify"] = self._verify
            return self._session.request(method, url, timeout=_TIMEOUT, **options)

        try:
            return send_with_retries(once, deadline_seconds=self._deadline)
        except NoAnswerInTime as error:
            raise RegistryError(
                f"The registry {self.host} could not be reached for {self._deadline:.0f} s: "
                f"{error}.",
                retryable=True,
            ) from error
        except requests.exceptions.SSLError as error:
            why = printable.excerpt(str(error))
            raise RegistryError(
                f"The registry {self.host} could not be spoken to by TLS ({why}); put the path "
                "of its authority's certificates into 'verify' of the acr Connection's extra."
            ) from error
        except http_answers.TooLarge as error:
            raise RegistryError(
                f"{error}, which is no registry's answer; see whether the Connection's host is the "
                "login server, and at the proxy before it."
            ) from error
        except requests.RequestException:
            raise
        except OSError as error:
            raise ConfigurationError(
                f"The certificate authorities {self._verify} of the registry {self.host} cannot be "
                "read; correct 'verify' in the acr Connection's extra, or REQUESTS_CA_BUNDLE."
            ) from error


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}
