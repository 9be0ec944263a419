"""Follows the server-sent events of a deployment, and resumes after a lost connection."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import requests

from manifest_engine.client.errors import TIMED_OUT, UNREACHABLE, Stopped
from manifest_engine.client.server import Server

GOOD = frozenset({"live", "planned", "removed"})
ENDED = GOOD | {"failed", "rolled back", "superseded", "cancelled"}
"""States in which a deployment has ended, as in ``docs/api.md``."""
_PAUSE_SECONDS = 1.0
_LINE_MAX = 1 << 20
"""Limit for a line of the stream, in bytes; an event has a few thousand bytes."""


def follow(
    server: Server, deployment: str, deadline: float | None
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield type and data of each event until the deployment ends.

    :param deployment: id of the deployment.
    :param deadline: time on the clock ``time.monotonic``; None for no limit.
    :raises Stopped: at the deadline, or when the server gives no usable answer.
    """
    after, seen = "", set()
    while True:
        try:
            headers = {"Last-Event-ID": after} if after else {}
            path = f"deployments/{deployment}/events"
            with server.get(path, headers=headers, stream=True) as answer:
                for name, kind, data in _events(answer, deadline):
                    after = name or after
                    if name not in seen:  # the server can repeat events after a resume
                        yield kind, data
                    seen.add(name)
                    if kind == "deployment" and data.get("state") in ENDED:
                        return
        except requests.RequestException:
            pass  # the connection broke off: resume
        _check(deadline)
        time.sleep(_PAUSE_SECONDS)


def _events(
    answer: requests.Response, deadline: float | None
) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Id, type and data of each event, as in WHATWG HTML, 9.2.6."""
    fields: dict[str, str] = {}
    for line in _lines(answer):
        _check(deadline)
        key, _, value = line.partition(":")
        if line:
            fields[key] = value.removeprefix(" ")
            continue
        if "data" in fields:
            try:
                yield (
                    fields.get("id", ""),
                    fields.get("event", ""),
                    dict(json.loads(fields["data"])),
                )
            except (ValueError, TypeError):
                raise Stopped(UNREACHABLE, f"{answer.url} sent an event without JSON.") from None
        fields = {}


def _lines(answer: requests.Response) -> Iterator[str]:
    rest = b""
    for chunk in answer.iter_content(None):
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            yield line.removesuffix(b"\r").decode(errors="replace")
        if len(rest) > _LINE_MAX:
            raise Stopped(UNREACHABLE, f"{answer.url} sent a line of more than {_LINE_MAX} bytes.")


def _check(deadline: float | None) -> None:
    if deadline is not None and time.monotonic() >= deadline:
        raise Stopped(TIMED_OUT, "The time of --timeout is over; the deployment continues.")
