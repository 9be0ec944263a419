"""Limits of every request: size, rate, and no request in a user's name from another site."""

from __future__ import annotations

import hashlib
import time
from collections import OrderedDict
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from manifest_engine.api import problem

BODY_MAX = 128 * 1024
"""Bytes of a request's body. A manifest has at most 64 KiB as compact JSON."""
WRITES_A_MINUTE = 120
READS_A_MINUTE = 1200
_CLIENTS_MAX = 10_000
"""Clients whose rate is remembered."""
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


class _TooLarge(Exception):
    pass


class Guard:
    """ASGI middleware. It refuses a request before any route sees the request."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._tokens: OrderedDict[tuple[str, bool], tuple[float, float]] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if refusal := self._refusal(scope, headers):
            await refusal(scope, receive, send)
            return
        size = 0

        async def bounded() -> Message:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            if size > BODY_MAX:
                raise _TooLarge
            return message

        try:
            await self._app(scope, bounded, send)
        except _TooLarge:
            await _too_large()(scope, receive, send)

    def _refusal(self, scope: Scope, headers: Headers) -> Any:
        safe = scope["method"] in _SAFE
        if headers.get("content-length", "0").isdigit() and (
            int(headers.get("content-length", "0")) > BODY_MAX
        ):
            return _too_large()
        if not safe and "cookie" in headers and not _same_site(headers):
            return problem.answer(
                403,
                "A request with the cookie of Airflow's pages must come from Airflow's own pages; "
                "send an Authorization header with a token of POST /auth/token instead.",
            )
        if not self._allowed(_client(scope, headers), safe):
            made = problem.answer(429, "Too many requests from this client; wait a minute.")
            made.headers["Retry-After"] = "60"
            return made
        return None

    def _allowed(self, client: str, safe: bool) -> bool:
        """A token bucket for each client: a minute's requests at once, then at the rate."""
        limit = READS_A_MINUTE if safe else WRITES_A_MINUTE
        now = time.monotonic()
        tokens, since = self._tokens.pop((client, safe), (float(limit), now))
        tokens = min(limit, tokens + (now - since) * limit / 60)
        self._tokens[client, safe] = (max(tokens - 1, 0.0), now)
        if len(self._tokens) > _CLIENTS_MAX:
            self._tokens.popitem(last=False)
        return tokens >= 1


def _too_large() -> Any:
    return problem.answer(
        413,
        f"The body has more than {BODY_MAX} bytes, so nothing was started. Send less: in a "
        "manifest, replace a long value in env or files by a file in the ZIP or by a Secret.",
    )


def _same_site(headers: Headers) -> bool:
    """Whether the request carries a token, or comes from a page of this server.

    Source: OWASP Cross-Site Request Forgery Prevention Cheat Sheet, "Fetch Metadata" and
    "Verifying Origin With Standard Headers". A browser sets these headers itself.
    """
    if headers.get("authorization"):
        return True
    if site := headers.get("sec-fetch-site"):
        return site == "same-origin"
    origin = headers.get("origin")
    return bool(origin) and urlsplit(origin).netloc == headers.get("host")


def _client(scope: Scope, headers: Headers) -> str:
    """The client, without keeping its credential."""
    credential = headers.get("authorization") or headers.get("cookie")
    if credential:
        return hashlib.sha256(credential.encode()).hexdigest()
    return str((scope.get("client") or ("?",))[0])
