"""The client's commands of ``python -m manifest_engine``."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

from manifest_engine.client.errors import REFUSED, Stopped

INTERRUPTED = 130
"""Exit status after Ctrl+C, as in a shell."""
_EXIT = (
    "Exit status: 0 live, planned, removed, or started with --no-wait; 1 failed; 2 refused; "
    "3 login or permission missing; 4 no usable answer from Airflow; 5 --timeout reached. "
    "Environment variables for the login: AIRFLOW_TOKEN, or AIRFLOW_USER and AIRFLOW_PASSWORD."
)


def add_to(commands: Any) -> None:
    """Add the commands to the parser of ``python -m manifest_engine``."""
    deploy = _command(commands, "deploy", "deploy a service and follow it to its URL")
    status = _command(commands, "status", "show a deployment as it is now")
    follow = _command(commands, "follow", "follow a deployment to its end")
    rollback = _command(commands, "rollback", "return a service to an earlier release")
    restart = _command(commands, "restart", "replace the pods of a service")
    remove = _command(commands, "remove", "remove a service from one environment")
    for command in (status, follow):
        command.add_argument(
            "target",
            metavar="ID|MANIFEST",
            help="id of a deployment, or a manifest (*.json) for the newest deployment of its "
            "service",
        )
    for command in (deploy, rollback, restart, remove):
        command.add_argument("manifest", help="JSON file with the manifest; - for standard input")
        command.add_argument(
            "--set",
            action="append",
            default=[],
            metavar="KEY=TEXT",
            help="set a key of the manifest to a text, e.g. version=1.4.0 (repeatable)",
        )
        command.add_argument(
            "--idempotency-key",
            metavar="KEY",
            help="a repeated command with the same key starts nothing new; without a key, every "
            "command starts a deployment",
        )
        command.add_argument(
            "--no-wait", action="store_true", help="print the id and do not follow the deployment"
        )
    for command in (deploy, follow, rollback, restart, remove):
        command.add_argument(
            "--timeout",
            type=float,
            metavar="SECONDS",
            help="stop following after this time; the deployment continues",
        )
    rollback.add_argument(
        "--to",
        metavar="VERSION",
        help="version or first characters of the digest of a release that the cluster keeps; "
        "default: the last release with other code or settings",
    )
    rollback.add_argument(
        "--dry-run", action="store_true", help="only show the kept releases and the changes"
    )
    remove.add_argument(
        "--confirm",
        metavar="NAME",
        required=True,
        help="{component}-{serviceName}, to confirm the removal",
    )


def run(asked: argparse.Namespace) -> int:
    """Run one command and return its exit status."""
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
        screen.say("Interrupted; a deployment that has started continues.")
        return INTERRUPTED


def _run(asked: argparse.Namespace, screen: Any) -> int:
    from manifest_engine.client import deployments
    from manifest_engine.client.credentials import Credentials
    from manifest_engine.client.server import Server

    of_file = asked.manifest if "manifest" in asked else asked.target
    named = "manifest" in asked or of_file == "-" or of_file.endswith(".json")
    manifest = _read_manifest(of_file, asked.set if "set" in asked else []) if named else {}
    server = Server(asked.url, Credentials.of(os.environ), say=screen.say)
    if asked.command in ("status", "follow"):
        found = deployments.newest(server, manifest) if named else asked.target
        if asked.command == "status":
            return deployments.show(server, screen, found)
        return deployments.follow(server, screen, found, asked.timeout)
    made = deployments.start(server, asked.idempotency_key, **_request(asked, manifest))
    if asked.no_wait:
        screen.result({"id": made, "exitStatus": 0}, made)
        return 0
    screen.say(f"deployment {made}")
    return deployments.follow(server, screen, made, asked.timeout)


def _request(asked: argparse.Namespace, manifest: dict[str, Any]) -> dict[str, Any]:
    """Arguments of :func:`deployments.start` for the command."""
    from manifest_engine.client import deployments

    if asked.command == "deploy":
        return {"json": manifest}
    path, environment = deployments.service(manifest)
    if asked.command == "remove":
        name = f"{manifest['component']}-{manifest['serviceName']}"
        if asked.confirm != name:
            raise Stopped(REFUSED, f"--confirm must be {name}, the service that is removed.")
        return {"method": "DELETE", "path": path, "params": {"environment": environment}}
    body: dict[str, Any] = {"environment": environment}
    if asked.command == "rollback":
        body |= {"version": asked.to, "dryRun": asked.dry_run}
    return {"path": f"{path}/{asked.command}", "json": body}


def _command(commands: Any, name: str, text: str) -> argparse.ArgumentParser:
    made: argparse.ArgumentParser = commands.add_parser(
        name, help=f"{text}, over Airflow's HTTP API", description=f"{text}.", epilog=_EXIT
    )
    made.add_argument(
        "--url",
        default=os.environ.get("AIRFLOW_URL", ""),
        help="address of Airflow, e.g. https://airflow.example.com (default: $AIRFLOW_URL)",
    )
    made.add_argument("--json", action="store_true", help="print one JSON object per line")
    return made


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
