"""The commands about deployments: start one, read it, follow it to its end."""

from __future__ import annotations

import secrets
import time
from typing import Any

from manifest_engine.client import events
from manifest_engine.client.errors import FAILED, LIVE
from manifest_engine.client.screen import Screen
from manifest_engine.client.server import Server
from manifest_engine.domain.core import printable

_GOOD = frozenset({"live", "planned"})


def start(server: Server, manifest: dict[str, Any], key: str | None) -> str:
    """Start a deployment; its id.

    :param key: the ``Idempotency-Key``. Without one, a new key makes this call repeatable, and
        every call is a deployment of its own.
    """
    headers = {"Idempotency-Key": key or f"call-{secrets.token_hex(16)}"}
    answer = server.ask("POST", "deployments", json=manifest, headers=headers)
    return str(answer.json()["id"])


def read(server: Server, deployment: str) -> dict[str, Any]:
    """The deployment as the API describes it."""
    return dict(server.get(f"deployments/{deployment}").json())


def follow(server: Server, screen: Screen, deployment: str, timeout: float | None) -> int:
    """Show each step until the end; the exit status."""
    deadline = None if timeout is None else time.monotonic() + timeout
    for kind, data in events.follow(server, deployment, deadline):
        screen.event(kind, data)
    return report(screen, read(server, deployment))


def show(server: Server, screen: Screen, deployment: str) -> int:
    """Show the steps as they are now; the exit status."""
    made = read(server, deployment)
    for step in made["steps"]:
        if step["state"] not in ("waiting", "skipped"):
            screen.event("step", step)
    return report(screen, made)


def report(screen: Screen, made: dict[str, Any]) -> int:
    """Show the result of a deployment; the exit status."""
    state, text = made["state"], ""
    if state == "live":
        text = printable.line(str(made["url"]))
        screen.say(f"live, image {made['digest']}")
    elif state == "planned":
        screen.say("planned; a dry run changes nothing")
        text = "\n".join(_changes(made["changes"]))
    elif state in events.ENDED:
        at = f" at {made['failedStep']}" if made["failedStep"] else ""
        screen.say(f"{state}{at}: {made['error']}")
    else:
        screen.say(state)
    status = FAILED if state in events.ENDED - _GOOD else LIVE
    screen.result({**made, "exitStatus": status}, text)
    return status


def _changes(changes: Any) -> list[str]:
    if not isinstance(changes, list):
        return [printable.sentence(str(changes or "nothing would change"))]
    return [printable.sentence(str(item)) for item in changes]
