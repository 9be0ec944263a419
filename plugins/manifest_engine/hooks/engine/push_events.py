"""Read the event stream of a push, in which the engine reports failures as events."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable
from typing import Any

from manifest_engine.domain.core import error_text, printable
from manifest_engine.domain.core.errors import RegistryError
from manifest_engine.domain.image import registry_advice as advice

_RETRY = re.compile(r"Retrying in (\d+) second")
_DONE = re.compile(r"^\S+: digest: (sha256:[0-9a-f]{64}) size: \d+$")
"""The last status. Engines with Docker's own image store also report the digest in ``aux``."""
_LONGEST_RETRY_SECONDS = 10
"""The engine retries a layer after 5, 10, 15, 20 and 25 s. Meanwhile the layer occupies one of the
engine's five upload slots, so the push ends after two retries to free the slot for other pushes."""


class Unauthorized(RegistryError):
    """The registry refused the login, or the login may not push: the engine does not say which."""


def digest(events: Iterable[dict[str, Any]], image: str, *, deadline_seconds: float) -> str:
    """Read all events, and return the digest of the pushed manifest.

    :raises RegistryError: with the image, the reason and the remedy.
    """
    end = time.monotonic() + deadline_seconds
    pushed: str | None = None
    try:
        for event in events:
            if "error" in event:
                raise refusal(image, str(event["error"]))
            status = str(event.get("status", ""))
            if done := _DONE.match(status):
                pushed = done[1]
            pushed = (event.get("aux") or {}).get("Digest", pushed)
            retry = _RETRY.match(status)
            if retry and int(retry[1]) > _LONGEST_RETRY_SECONDS:
                raise RegistryError(
                    f"The registry does not take {image}: uploads fail again and again (the "
                    "engine's log says why); the push was ended so that it does not delay others.",
                    retryable=True,
                )
            if time.monotonic() > end:
                raise RegistryError(
                    f"The push of {image} was not done within {deadline_seconds:.0f} s and was "
                    "ended.",
                    retryable=True,
                )
    finally:
        close = getattr(events, "close", None)
        if close:
            close()
    if pushed is None:
        raise RegistryError(
            f"The push of {image} ended without a digest: the engine was stopped meanwhile.",
            retryable=True,
        )
    return pushed


_REFUSALS = (
    (advice.FIREWALL_PATTERN, advice.FIREWALL, False),
    (
        r"unauthorized|authentication required|no basic auth",
        advice.LOGIN_OR_ROLE,
        False,
    ),
    (
        r"denied|forbidden|insufficient_scope",
        advice.MISSING_ROLE,
        False,
    ),
    (
        rf"{error_text.status(405)}|method not allowed|\blocked\b|\bunsupported\b"
        rf"|{advice.LOCKED_PATTERN}",
        advice.LOCKED,
        False,
    ),
    (rf"{error_text.status(429)}|too ?many ?requests", "it is asked too often (HTTP 429)", True),
    (
        r"x509|certificate|server gave http response to https",
        "the engine does not trust its certificate; put the authority's certificate into "
        "/etc/docker/certs.d on the builder",
        False,
    ),
    (
        r"does not exist|no such image",
        "the engine no longer has the image; clear build_image",
        False,
    ),
)
_PATTERNS = tuple(re.compile(pattern, re.IGNORECASE) for pattern, *_ in _REFUSALS)


def refusal(image: str, reason: str) -> RegistryError:
    """The error for an error event."""
    server, _, rest = image.partition("/")
    repository = rest.rpartition(":")[0]
    text = error_text.without_names(reason)
    sentence, retryable = next(
        (
            (sentence, retryable)
            for pattern, (_, sentence, retryable) in zip(_PATTERNS, _REFUSALS, strict=True)
            if pattern.search(text)
        ),
        ("a later try may succeed", True),
    )
    kind = Unauthorized if sentence == advice.LOGIN_OR_ROLE else RegistryError
    return kind(
        f"The registry {server} did not take {repository} ({printable.excerpt(reason)}): "
        f"{sentence}.",
        retryable=retryable,
    )
