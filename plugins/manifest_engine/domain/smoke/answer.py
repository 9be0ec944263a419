"""The answer of a new pod to one request through the API server, and what a wrong answer means."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

from manifest_engine.domain.core import printable

PROXY_ERROR = "error trying to reach service: "
"""How the message of the API server's own 503 begins. Source: kubernetes/apimachinery,
``pkg/util/proxy/transport.go``."""
_PASSING = frozenset({404, 408, 409, 423, 425, 429})
"""A service that still starts may answer these, and any 5xx."""
_WANTS_TLS = (
    "client sent an http request to an https server",  # Go
    "the plain http request was sent to https port",  # nginx
    "speaking plain http to an ssl-enabled server port",  # Apache
)
_REFUSES_HOST = ("disallowedhost", "invalid http_host", "invalid host header", "blocked host")
_GARBLED = ("malformed http", "eof", "connection reset", "broken pipe")


@dataclass(frozen=True)
class Request:
    """A GET of ``path`` at a port of the pod's own address."""

    port: int
    path: str
    seconds: float
    """How long the answer may take."""


@dataclass(frozen=True)
class Answer:
    """The answer; without a status, ``problem`` says why there is none."""

    status: int | None
    body: str = ""
    location: str = ""
    problem: str = ""
    timed_out: bool = False
    tls: bool = False
    """The port speaks TLS."""

    @property
    def refused(self) -> bool:
        """Whether nothing listens on the port of the pod's own address."""
        return "connection refused" in self.problem

    @property
    def garbled(self) -> bool:
        """Whether the port speaks another protocol than HTTP, or closes connections."""
        return any(words in self.problem.lower() for words in _GARBLED)

    @property
    def is_right(self) -> bool:
        """Whether a probe takes this answer, without a redirect that it would have to follow."""
        return self.status is not None and 200 <= self.status < 300

    @property
    def may_pass(self) -> bool:
        """Whether a service that still starts may give this answer."""
        if self.tls or self.wants_tls:
            return False
        return self.status is None or self.status in _PASSING or self.status >= 500

    @property
    def wants_tls(self) -> bool:
        """Whether a web server says that it got plain HTTP where it expects TLS."""
        return self.status == 400 and any(words in self.body.lower() for words in _WANTS_TLS)

    @property
    def refuses_host(self) -> bool:
        """Whether a framework says that it does not know the host name of the request."""
        return self.status in (400, 403) and any(
            words in self.body.lower() for words in _REFUSES_HOST
        )


def through_proxy(status: int, headers: Mapping[str, str], body: str, prefix: str) -> Answer:
    """The service's answer, from an answer of the API server's pod proxy.

    :param headers: with names in lower case.
    :param prefix: path of the proxy, which the API server adds to the target of a redirect and to
        the links of an HTML page.
    """
    if status == 503 and (problem := proxy_error(body)):
        return Answer(None, problem=problem)
    location = printable.excerpt(headers.get("location", ""))
    parts = urlsplit(location) if location.startswith(("/", "http")) else None
    if parts and parts.path.startswith(prefix):
        location = urlunsplit(parts._replace(path=parts.path.removeprefix(prefix) or "/"))
    return Answer(status, body.replace(prefix, ""), location)


def proxy_error(body: str) -> str:
    """Why the API server could not reach the service; empty for an answer of the service."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    message = found.get("message") if isinstance(found, dict) else None
    if not isinstance(message, str) or not message.startswith(PROXY_ERROR):
        return ""
    return printable.excerpt(message.removeprefix(PROXY_ERROR))


def asking(asked: str) -> str:
    """The check as the beginning of a sentence.

    :param asked: a requested path, or the kind of the check, such as ``tcp check``.
    """
    return f"GET {asked}" if asked.startswith("/") else f"the {asked}"


def advice(answer: Answer, path: str, status: int | None) -> str:
    """What to do about a wrong answer; empty when only the service's authors can know.

    :param status: the expected status, if the manifest names one.
    """
    if answer.tls or answer.wants_tls:
        return (
            "the port speaks TLS (HTTPS), but the gateway and the probes of Kubernetes use plain "
            "HTTP here; let the service speak plain HTTP, since TLS ends at the gateway"
        )
    if answer.refuses_host:
        return (
            "the service refuses the host name; a probe sends the pod's address as Host, so allow "
            "every host at this path (Django: ALLOWED_HOSTS)"
        )
    if answer.location:
        return (
            f"it redirects to {answer.location}; let {path} answer without a redirect (exempt it "
            "from the redirect to HTTPS or to a login), or name another path in the manifest"
        )
    if answer.status in (401, 403):
        return f"probes cannot log in; let {path} answer without a login, or name another path"
    if answer.status == 404:
        return (
            "name a path that the service knows in healthPath, or in smokeTest.path if that is set"
        )
    if answer.status and answer.status < 300 and status and answer.status != status:
        return f"set smokeTest.expectStatus to {answer.status}, or leave it out, if this is right"
    return ""
