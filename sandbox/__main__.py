"""``python -m sandbox up | down | status | env | deploy``: see README.md."""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path

from sandbox.airflow import deploy
from sandbox.core import kept_logs, stack
from sandbox.core.lock import lock
from sandbox.core.part import Part, SandboxError
from sandbox.core.settings import SETTINGS
from sandbox.machine import mounts
from sandbox.parts import enabled_parts, known_parts, on_request


def main(words: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m sandbox", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    up = verbs.add_parser("up", help="start every part that does not run yet")
    up.add_argument(
        "--only", action="append", help="start only this part and its needs (repeatable)"
    )
    down = verbs.add_parser("down", help="stop every part and remove all its traces")
    down.add_argument("--only", action="append", help="stop only this part (repeatable)")
    verbs.add_parser("status", help="show each part, its address and whether it answers")
    verbs.add_parser("env", help='print shell exports: eval "$(python -m sandbox env)"')
    run = verbs.add_parser("deploy", help="upload a ZIP, trigger the DAG, wait for the URL")
    run.add_argument("--zip", type=Path, required=True, help="the ZIP, or a folder to zip")
    run.add_argument("--manifest", type=Path, required=True, help="JSON file, see include/examples")
    run.add_argument("--json", action="store_true", help="print one JSON object at the end")
    arguments = parser.parse_args(words)
    parts = enabled_parts()
    one_at_a_time = lock("turn", "another `up` or `down` to end")
    try:
        if arguments.verb == "up":
            chosen = (
                _with_needs([*parts, *on_request()], arguments.only) if arguments.only else parts
            )
            with one_at_a_time:
                stack.up(chosen)
        elif arguments.verb == "down":
            known = [*known_parts(), *on_request()]
            chosen = [part for part in known if not arguments.only or part.name in arguments.only]
            with one_at_a_time:
                if not arguments.only:
                    kept_logs.keep()
                stack.down(chosen)
                if not arguments.only:
                    mounts.remove(SETTINGS.state)
        elif arguments.verb == "status":
            return _status(parts)
        elif arguments.verb == "deploy":
            return deploy.main(arguments.zip, arguments.manifest, as_json=arguments.json)
        elif arguments.verb == "env":
            for key, value in stack.exports([*parts, *on_request()]).items():
                print(f"export {key}={shlex.quote(value)}")
    except SandboxError as error:
        print(f"sandbox: {error}", file=sys.stderr)
        return 1
    return 0


def _with_needs(parts: list[Part], names: list[str]) -> list[Part]:
    by_name = {part.name: part for part in parts}
    unknown = [name for name in names if name not in by_name]
    if unknown:
        raise SandboxError(f"no part named {unknown[0]!r}; there are: {', '.join(by_name)}")
    found: set[str] = set()
    queue = list(names)
    while queue:
        name = queue.pop()
        if name not in found:
            found.add(name)
            if missing := [need for need in by_name[name].needs if need not in by_name]:
                raise SandboxError(
                    f"the part {name!r} needs {missing[0]!r}, which does not run beside a "
                    "given cluster: run `make down`, unset SANDBOX_KUBECONFIG, and try again"
                )
            queue.extend(by_name[name].needs)
    return [part for part in parts if part.name in found]


def _status(parts: list[Part]) -> int:
    problems = 0
    for part in parts:
        problem = part.ready()
        problems += problem is not None
        print(f"{part.name:<14} {'ok' if problem is None else 'DOWN':<5} {problem or part.where()}")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
