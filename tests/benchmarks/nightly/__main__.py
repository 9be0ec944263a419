"""``python -m tests.benchmarks.nightly [--services N] [--built N]``: cost of a nightly
run.

Planning: many recorded services, of which none or all must be rebuilt. A nightly run through the
sandbox's Airflow: the same unchanged services, and a few real services without a record of their
build, so that each is built again and found unchanged. It also measures how long a manual
deployment waits for its first task, during the nightly run and with an idle Airflow. Prints a table
and writes ``.bench/nightly.json``.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from kubernetes import client, config

from sandbox.airflow.airflow import Airflow
from sandbox.airflow.api import AirflowApi
from sandbox.core import stack
from sandbox.core.console import say
from sandbox.core.settings import REPOSITORY
from sandbox.parts import enabled_parts
from tests.benchmarks.nightly import recorded
from tests.e2e.conftest import remove
from tests.e2e.nightly import COMPONENT, RECORD, Night, dockerfile

_PROBES = 7
_NIGHT_SECONDS = 240
_AT_ONCE = 4
_MOVED = "sha256:" + "2" * 64


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.nightly", description=__doc__)
    parser.add_argument("--services", type=int, default=500, help="on record, unchanged")
    parser.add_argument("--built", type=int, default=16, help="built again; 0: none")
    asked = parser.parse_args()
    known = stack.exports(enabled_parts())
    recorded.connect()
    cluster = config.new_client_from_config(known["KUBECONFIG"])
    night = Night(AirflowApi(Airflow()), client.AppsV1Api(cluster), known)
    namespace = f"bench-nightly-{uuid4().hex[:6]}"
    with tempfile.TemporaryDirectory(prefix="bench-nightly-") as folder:
        file = recorded.environments_file(Path(folder), namespace)
        night.push_base("bench")
        bases = recorded.present("docker.io/library/python:3.11", night.base)
        say("bench", f"putting {asked.services} services on record")
        with (
            recorded.services(cluster, namespace, asked.services, file, bases),
            recorded.in_the_sandbox(namespace),
        ):
            say("bench", "planning")
            plans = {"same": _plan(file, bases), "moved": _plan(file, dict.fromkeys(bases, _MOVED))}
            found: dict[str, Any] = {"plan": plans}
            if asked.built:
                found["night"] = _night(night, cluster, asked.built)
    path = REPOSITORY / ".bench/nightly.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(found, indent=2) + "\n")
    _tell(found)


def _plan(file: Path, digests: recorded.Bases) -> Any:
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.nightly.planning", json.dumps(digests)],
        env={**os.environ, "MANIFEST_ENGINE_ENVIRONMENTS": str(file)},
        stdout=subprocess.PIPE,
        check=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


def _night(night: Night, cluster: client.ApiClient, number: int) -> dict[str, Any]:
    names = [f"bench-{at}" for at in range(number)]
    text = dockerfile("python:3.11", "RUN echo bench > /base")
    try:
        say("bench", f"deploying {number} services that are to be built again")
        for few in (names[at : at + _AT_ONCE] for at in range(0, number, _AT_ONCE)):
            for run_id in [night.start(name, text) for name in few]:
                night.wait("deploy_service", run_id)  # until describe_image has run
        for name in names:
            night.note(name, **{RECORD: None})
        say("bench", "the night begins; somebody triggers deployments meanwhile")
        idle = [_first_task(night, names[0]) for _ in range(_PROBES)]
        begin = time.monotonic()
        run_id = night.trigger("rebuild_services", {"component": COMPONENT})
        run = f"dags/rebuild_services/dagRuns/{run_id}"
        busy = []
        while night.state("rebuild_services", run_id) in ("none", "queued", "running"):
            if time.monotonic() - begin > _NIGHT_SECONDS:
                raise SystemExit(f"{run_id} is not done after {_NIGHT_SECONDS} s")
            busy.append(_first_task(night, names[0]))
            if len(busy) % 10 == 0:
                say("bench", f"{len(busy)} deployments triggered")
        seconds = time.monotonic() - begin
        counts = night.api.xcom(run, "summarise", "table")["counts"]
        say("bench", f"{counts}; the same with nothing to do")
        again = time.monotonic()
        night.rebuild(component=COMPONENT, environment=None)
        return {
            "services": number,
            "counts": counts,
            "seconds": round(seconds, 1),
            "seconds_per_service": round(seconds / number, 2),
            "plan_seconds": night.api.get(f"{run}/taskInstances/plan")["duration"],
            "nothing_to_do_seconds": round(time.monotonic() - again, 1),
            "first_task_idle": idle,
            "first_task_busy": busy,
        }
    finally:
        for name in names:
            remove(cluster, night.namespace, f"{COMPONENT}-{name}")


def _first_task(night: Night, name: str) -> float:
    """Seconds from a manual trigger (a dry run) to the start of its first task."""
    manifest = {"component": COMPONENT, "serviceName": name, "version": "1.0"}
    run_id = night.trigger("deploy_service", manifest | {"environment": "dev", "dryRun": True})
    night.wait("deploy_service", run_id, "validate")
    run = f"dags/deploy_service/dagRuns/{run_id}"
    asked = datetime.fromisoformat(night.api.get(run)["queued_at"])
    begun = datetime.fromisoformat(night.api.get(f"{run}/taskInstances/validate")["start_date"])
    return round((begun - asked).total_seconds(), 2)


def _tell(found: dict[str, Any]) -> None:
    lines = [
        "| plan | services | to rebuild | s | MiB | list calls | base look-ups |",
        "|" + "---|" * 7,
    ]
    for case, plan in found["plan"].items():
        bases = sum(count for what, count in plan["asked"].items() if what.startswith("base"))
        calls = sum(plan["asked"].values()) - bases
        lines.append(
            f"| {case} | {plan['services']} | {plan['planned']} | {plan['seconds']} "
            f"| {plan['peak_mib']} | {calls} | {bases} |"
        )
    if night := found.get("night"):
        waits = {
            case: f"{statistics.median(night[f'first_task_{case}'])} s, at most "
            f"{max(night[f'first_task_{case}'])} s"
            for case in ("idle", "busy")
        }
        lines += [
            f"{night['services']} services built again and found the same: {night['seconds']} s, "
            f"{night['seconds_per_service']} s each ({night['counts']})",
            f"its plan: {night['plan_seconds']} s",
            f"the same with nothing to do: {night['nothing_to_do_seconds']} s",
            f"manual trigger to first task: {waits['idle']} idle; {waits['busy']} meanwhile",
        ]
    sys.stdout.write("\n".join([*lines, ""]))


if __name__ == "__main__":
    main()
