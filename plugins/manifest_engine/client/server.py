"""Sends requests to the API of an Airflow server, and repeats them while the server restarts."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import requests

from manifest_engine.client.credentials import PASSWORD, TOKEN, USER, Credentials
from manifest_engine.client.errors import NOT_ALLOWED, REFUSED, UNREACHABLE, Stopped
from manifest_engine.domain.core import printable
from manifest_engine.hooks.core import causes

PATIENCE_SECONDS = 180.0
"""How long a failed request is repeated. Airflow's API server restarts in 30 s or more."""
_CONNECT_SECONDS = 10
_READ_SECONDS = 45
"""Limit between two bytes of an answer; the event stream sends a line every 15 s."""
_AGAIN = frozenset({429, 500, 502, 503, 504})


class Server:
    """The API of one Airflow server.

    Every request can be repeated, because requests that start a run have an ``Idempotency-Key``.

    :param url: address of Airflow, as in a browser.
    :param say: shows a sentence to the user.
    """

    def __init__(
        self,
        url: str,
        credentials: Credentials,
        *,
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
            raise Stopped(
                REFUSED,
                "--url or AIRFLOW_URL must be the address of Airflow without a login, "
                "e.g. https://airflow.example.com.",
            )
        self.url = url.rstrip("/")
        self.api = f"{self.url}/manifest-engine/api/v1"
        self._credentials, self._say = credentials, say
        self._session = requests.Session()
        self._session.auth = credentials

    def get(self, path: str, **more: Any) -> requests.Response:
        """Send a GET request; see :meth:`ask`."""
        return self.ask("GET", path, **more)

    def ask(self, method: str, path: str, **more: Any) -> requests.Response:
        """Send a request and return the successful answer.

        :param more: further arguments of ``requests``.
        :raises Stopped: when the API refuses the request or the server gives no usable answer.
        """
        if self._credentials.due():
            self._log_in()
        answer = self._send(method, f"{self.api}/{path}", **more)
        if _token_refused(answer):  # expired, or signed with a former key of the server
            if not self._credentials.can_log_in:
                raise Stopped(
                    NOT_ALLOWED,
                    "Airflow refused the token, which has expired or belongs to another server. "
                    f"Set {TOKEN} to a new token, or set {USER} and {PASSWORD} instead.",
                )
            self._log_in()
            answer = self._send(method, f"{self.api}/{path}", **more)
        if answer.ok and not answer.is_redirect:
            return answer
        raise self._refusal(answer)

    def _log_in(self) -> None:
        self._credentials.renew(lambda url, **more: self._send("POST", url, **more), self._login)

    @property
    def _login(self) -> str:
        return f"{self.url}/auth/token"

    def _send(self, method: str, url: str, **more: Any) -> requests.Response:
        """Send a request until the server answers, whatever the status."""
        until = time.monotonic() + PATIENCE_SECONDS
        pause, told = 0.5, False
        while True:
            wait: float | None = None
            try:
                answer = self._session.request(
                    method,
                    url,
                    timeout=(_CONNECT_SECONDS, _READ_SECONDS),
                    allow_redirects=False,  # a redirect would turn a POST into a GET
                    **more,
                )
                if answer.status_code not in _AGAIN:
                    return answer
                reason = f"HTTP {answer.status_code}"
                wait = _retry_after(answer)
            except requests.exceptions.SSLError as error:
                raise Stopped(
                    UNREACHABLE,
                    f"The certificate of {self.url} is not trusted: {_cause(error)}. Set "
                    "REQUESTS_CA_BUNDLE to the file of your certificate authority.",
                ) from None
            except requests.RequestException as error:
                answer, reason = None, _cause(error)
            pause = min(pause * 2, 10.0)
            wait = pause if wait is None else wait
            if time.monotonic() + wait > until:
                if answer is not None:
                    raise self._refusal(answer)
                raise Stopped(UNREACHABLE, f"{self.url} does not answer: {reason}.")
            if not told:
                left = until - time.monotonic()
                self._say(f"{self.url} does not answer ({reason}); trying again for {left:.0f} s.")
                told = True
            time.sleep(wait)

    def _refusal(self, answer: requests.Response) -> Stopped:
        if answer.is_redirect:
            found = printable.excerpt(answer.headers.get("Location", ""))
            return Stopped(
                UNREACHABLE,
                f"{self.url} redirects to {found}. Set --url to the address of Airflow itself; "
                "the client cannot use a login page.",
            )
        problem = _problem(answer)
        if problem is not None:
            status = {401: NOT_ALLOWED, 403: NOT_ALLOWED}.get(answer.status_code, REFUSED)
            if answer.status_code in _AGAIN:
                status = UNREACHABLE
            return Stopped(status, problem[0], problem[1])
        return Stopped(
            UNREACHABLE,
            f"{self.url} answered HTTP {answer.status_code} without the Manifest Engine's API. "
            "Check the address, and that the package is installed in this Airflow.",
        )


def _problem(answer: requests.Response) -> tuple[str, list[dict[str, Any]]] | None:
    """Detail and errors of a problem document (RFC 9457); None for any other answer."""
    if not answer.headers.get("Content-Type", "").startswith("application/problem+json"):
        return None
    try:
        found = answer.json()
        errors = [item for item in found.get("errors") or [] if isinstance(item, dict)]
        return printable.sentence(str(found["detail"])), errors
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _token_refused(answer: requests.Response) -> bool:
    """Airflow answers 401 to an expired token, and 403 to one with another signature."""
    if answer.status_code == requests.codes.forbidden:
        problem = _problem(answer)
        return problem is not None and "JWT" in problem[0]
    return answer.status_code == requests.codes.unauthorized


def _retry_after(answer: requests.Response) -> float | None:
    """Seconds of ``Retry-After`` (RFC 9110); None without the header or if it is a date."""
    found = answer.headers.get("Retry-After", "")
    return float(found) if found.isdecimal() else None


def _cause(error: Exception) -> str:
    return printable.excerpt(causes.innermost(error)).rstrip(".")
