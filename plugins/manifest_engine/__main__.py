"""``python -m manifest_engine``: commands for an installation, and for pipelines.

``deploy``, ``status``, ``follow``, ``rollback``, ``restart`` and ``remove`` use an Airflow server
over its HTTP API, and do not need Airflow on the machine. The other commands are for the machine
where Airflow runs.
"""

from __future__ import annotations

import argparse
import json
import os
import sys

from manifest_engine import __version__, installation
from manifest_engine.client import commands as client

_COMMANDS = {
    "dags-folder": installation.dags_folder,
    "include-folder": installation.include_folder,
    "register": installation.register,
}


def main(words: list[str] | None = None) -> int:
    """Run one command and return the exit status; a failed command writes to standard error."""
    parser = argparse.ArgumentParser(prog="python -m manifest_engine", description=__doc__)
    parser.add_argument("--version", action="version", version=f"manifest-engine {__version__}")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("dags-folder", help="print the folder of the DAG files")
    commands.add_parser("include-folder", help="print the folder of environments.yaml")
    commands.add_parser(
        "register",
        help="write the metadata beside a copied package, so that Airflow offers the types of its "
        "Connections; not needed after pip install",
    )
    doctor = commands.add_parser(
        "doctor",
        help="check what a deployment to an environment needs: Connections, rights, builders, "
        "Gateway; exit status 1 if something is missing",
    )
    doctor.add_argument("--environment", required=True, help="name in environments.yaml")
    doctor.add_argument("--json", action="store_true", help="print JSON instead of the table")
    client.add_to(commands)
    asked = parser.parse_args(words)
    if asked.command == "doctor":
        return _doctor(asked.environment, as_json=asked.json)
    if asked.command not in _COMMANDS:
        return client.run(asked)
    try:
        found = _COMMANDS[asked.command]()
    except OSError as error:
        sys.stderr.write(f"manifest_engine {asked.command}: {error}\n")
        return 1
    sys.stdout.write(f"{found}\n")
    return 0


def _doctor(name: str, *, as_json: bool) -> int:
    # With this setting, Airflow also reads Connections from its database.
    os.environ.setdefault("_AIRFLOW_PROCESS_CONTEXT", "server")
    from manifest_engine.domain.core.errors import ManifestEngineError
    from manifest_engine.domain.doctor import finding, request
    from manifest_engine.domain.environment import environments
    from manifest_engine.services.doctor import checks, examination

    try:
        name, environment = request.parse({"environment": name}, environments.load())
        findings = examination.examine(checks.of(name, environment))
    except ManifestEngineError as error:
        sys.stderr.write(f"manifest_engine doctor: {error}\n")
        return 2
    report = finding.report(name, findings)
    sys.stdout.write(f"{json.dumps(report, indent=2) if as_json else finding.table(findings)}\n")
    return 0 if report["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
