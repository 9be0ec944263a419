"""Starts, follows and reports a deployment, rollback, restart or removal."""

from __future__ import annotations

import secrets
import time
from typing import Any
from urllib.parse import quote

from manifest_engine.client import events
from manifest_engine.client.errors import FAILED, LIVE, REFUSED, Stopped
from manifest_engine.client.screen import Screen
from manifest_engine.client.server import Server
from manifest_engine.domain.core import printable


def start(
    server: Server, key: str | None, method: str = "POST", path: str = "deployments", **more: Any
) -> str:
    """Start a deployment, rollback, restart or removal, and return its id.

    :param key: the ``Idempotency-Key``; None for a new key.
    :param more: further arguments of ``requests``.
    """
    headers = {"Idempotency-Key": key or f"call-{secrets.token_hex(16)}"}
    return str(server.ask(method, path, headers=headers, **more).json()["id"])


def service(manifest: dict[str, Any]) -> tuple[str, str]:
    """The service's path in the API, and the environment.

    :raises Stopped: when the manifest lacks the service or the environment.
    """
    component, name, environment = (
        str(manifest.get(key) or "") for key in ("component", "serviceName", "environment")
    )
    if not (component and name and environment):
        raise Stopped(REFUSED, "The manifest must have component, serviceName and environment.")
    return f"services/{quote(component, safe='')}/{quote(name, safe='')}", environment


def newest(server: Server, manifest: dict[str, Any]) -> str:
    """Id of the newest deployment of the manifest's service in its environment."""
    path, environment = service(manifest)
    asked = {"environment": environment, "limit": 1}
    found = server.get(f"{path}/deployments", params=asked).json()["items"]
    if not found:
        raise Stopped(REFUSED, f"The service was never deployed to {environment}.")
    return str(found[0]["id"])


def read(server: Server, deployment: str) -> dict[str, Any]:
    """The API's description of a deployment."""
    return dict(server.get(f"deployments/{deployment}").json())


def follow(server: Server, screen: Screen, deployment: str, timeout: float | None) -> int:
    """Show the steps until the deployment ends, and return the exit status."""
    deadline = None if timeout is None else time.monotonic() + timeout
    for kind, data in events.follow(server, deployment, deadline):
        screen.event(kind, data)
    return report(screen, read(server, deployment))


def show(server: Server, screen: Screen, deployment: str) -> int:
    """Show the present state of the steps, and return the exit status."""
    made = read(server, deployment)
    for step in made["steps"]:
        if step["state"] not in ("waiting", "skipped"):
            screen.event("step", step)
    return report(screen, made)


def report(screen: Screen, made: dict[str, Any]) -> int:
    """Show the result of a deployment, and return the exit status."""
    state, text = made["state"], ""
    if state == "live":
        text = printable.line(str(made["url"]))
        screen.say(f"live, image {made['digest']}" if made["digest"] else "live")
    elif state == "planned":
        screen.say("planned: the dry run has changed nothing")
        text = "\n".join(map(_change, made["changes"] or []))
    elif state in events.ENDED - events.GOOD:
        at = f" at {made['failedStep']}" if made["failedStep"] else ""
        screen.say(f"{state}{at}: {made['error']}")
    else:
        screen.say(state)
    status = FAILED if state in events.ENDED - events.GOOD else LIVE
    screen.result({**made, "exitStatus": status}, text)
    return status


def _change(found: dict[str, Any]) -> str:
    """One object of a dry run: its action, and the fields that would change."""
    lines = [f"{found['kind']} {found['name']}: {found['action']}"]
    lines += [
        f"    {item['field']}: {item['before']} → {item['after']}" for item in found["fields"]
    ]
    return printable.sentence("\n".join(lines))
