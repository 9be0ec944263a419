"""The commands ``deploy``, ``status`` and ``follow`` of ``python -m manifest_engine``."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

from manifest_engine.client.errors import REFUSED, Stopped

INTERRUPTED = 130
"""Exit status after Ctrl+C, as a shell sets it."""
_EXIT = (
    "Exit status: 0 live (or planned, or started with --no-wait), 1 failed, 2 refused, "
    "3 no login or no right, 4 no answer of Airflow, 5 --timeout is over. "
    "The environment has the login: AIRFLOW_TOKEN, or AIRFLOW_USER and AIRFLOW_PASSWORD."
)


def add_to(commands: Any) -> None:
    """Add the commands to the parser of ``python -m manifest_engine``."""
    deploy = _command(commands, "deploy", "deploy a service and follow it to its URL")
    _manifest(deploy)
    deploy.add_argument(
        "--idempotency-key",
        metavar="KEY",
        help="the same user, key and manifest are one deployment; without a key, every call is a "
        "new one",
    )
    deploy.add_argument("--no-wait", action="store_true", help="print the id and do not follow")
    _timeout(deploy)
    status = _command(commands, "status", "show a deployment as it is now")
    follow = _command(commands, "follow", "follow a deployment to its end")
    for command in (status, follow):
        command.add_argument("id", help="id of the deployment")
    _timeout(follow)


def run(asked: argparse.Namespace) -> int:
    """Run one command; its exit status."""
    from manifest_engine.client.screen import Screen

    screen = Screen(as_json=asked.json)
    try:
        return _run(asked, screen)
    except Stopped as error:
        screen.stopped(error)
        screen.result(
            {"exitStatus": error.status, "error": error.detail, "errors": list(error.errors)}
        )
        return error.status
    except KeyboardInterrupt:
        screen.say("Interrupted; a deployment that has started goes on.")
        return INTERRUPTED


def _run(asked: argparse.Namespace, screen: Any) -> int:
    from manifest_engine.client import deployments
    from manifest_engine.client.credentials import Credentials
    from manifest_engine.client.server import Server

    manifest = _read_manifest(asked.manifest, asked.set) if "manifest" in asked else {}
    server = Server(asked.url, Credentials.of(os.environ), say=screen.say)
    if asked.command == "status":
        return deployments.show(server, screen, asked.id)
    if asked.command == "follow":
        return deployments.follow(server, screen, asked.id, asked.timeout)
    made = deployments.start(server, manifest, asked.idempotency_key)
    if asked.no_wait:
        screen.result({"id": made, "exitStatus": 0}, made)
        return 0
    screen.say(f"deployment {made}")
    return deployments.follow(server, screen, made, asked.timeout)


def _command(commands: Any, name: str, text: str) -> argparse.ArgumentParser:
    made: argparse.ArgumentParser = commands.add_parser(
        name, help=f"{text}, over Airflow's HTTP API", description=f"{text}.", epilog=_EXIT
    )
    made.add_argument(
        "--url",
        default=os.environ.get("AIRFLOW_URL", ""),
        help="address of Airflow, e.g. https://airflow.example.com (default: $AIRFLOW_URL)",
    )
    made.add_argument("--json", action="store_true", help="print one JSON object a line")
    return made


def _manifest(command: argparse.ArgumentParser) -> None:
    command.add_argument("manifest", help="JSON file with the manifest; - is standard input")
    command.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=TEXT",
        help="set a text of the manifest, e.g. version=1.4.0 (repeatable)",
    )


def _timeout(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--timeout", type=float, metavar="SECONDS", help="stop following; the deployment goes on"
    )


def _read_manifest(file: str, changes: list[str]) -> dict[str, Any]:
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8-sig")
        manifest = json.loads(text)
    except OSError as error:
        raise Stopped(REFUSED, f"{file} cannot be read: {error.strerror}.") from None
    except ValueError as error:
        raise Stopped(REFUSED, f"{file} is not valid JSON: {error}.") from None
    if not isinstance(manifest, dict):
        raise Stopped(REFUSED, f"{file} must be one JSON object.")
    for change in changes:
        key, equals, value = change.partition("=")
        if not equals or not key:
            raise Stopped(REFUSED, f"--set {change} must have the form KEY=TEXT.")
        manifest[key] = value
    return manifest
