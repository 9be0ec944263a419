"""Calls a public URL as anybody would."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit, urlunsplit

SECONDS = 10.0
BODY_MAX = 64 * 1024


@dataclass(frozen=True)
class Answer:
    """What came back; ``status`` is None when nothing did, and ``problem`` says why."""

    status: int | None
    body: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    problem: str = ""


def get(url: str) -> Answer:
    """One GET, redirects not followed, no credentials from netrc."""
    import requests

    session = requests.Session()
    session.auth = _nobody
    try:
        with session.get(url, timeout=SECONDS, allow_redirects=False, stream=True) as answer:
            body = answer.raw.read(BODY_MAX, decode_content=True).decode("utf-8", "replace")
            headers = {key.lower(): value for key, value in answer.headers.items()}
            return Answer(answer.status_code, body, headers)
    except requests.RequestException as error:
        return Answer(None, problem=_innermost(error))
    finally:
        session.close()


def is_gateways_own(url: str, answer: Answer) -> bool:
    """Whether an answer is that of the gateway for a path that it knows no route for.

    Gateways differ in what they answer then, so this one is asked for a path that nobody has.
    """
    parts = urlsplit(url)
    nowhere = parts._replace(path=f"/{secrets.token_hex(12)}", query="")
    own = get(urlunsplit(nowhere))
    return (own.status, own.body) == (answer.status, answer.body) and (
        own.headers.keys() - _VARYING == answer.headers.keys() - _VARYING
    )


_VARYING = frozenset({"date", "content-length", "connection", "keep-alive"})


def _nobody(request: Any) -> Any:
    return request


def _innermost(error: BaseException) -> str:
    seen: BaseException = error
    while True:
        inner = getattr(seen, "reason", None) or (seen.args[0] if seen.args else None)
        if not isinstance(inner, BaseException):
            return str(seen)
        seen = inner
