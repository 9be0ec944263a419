"""``python -m tests.benchmarks.live [--rounds N]``: time from the click until the URL
answers, by the DAG and by a script, for a code change.

Prints two tables and writes ``.bench/live.json``. Both run in turn on the sandbox's registry and
cluster, so that the machine has the same load. Each has its own service with the same objects, and
has deployed the service once before. ``--airflow`` measures another Airflow that deploys to the
same registry and cluster; the sandbox's Airflow is suspended meanwhile.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sandbox.airflow.airflow import Airflow
from sandbox.airflow.archives import zip_folder
from sandbox.airflow.deploy import upload
from sandbox.core import process, stack
from sandbox.core.settings import REPOSITORY, SETTINGS
from sandbox.parts import enabled_parts
from tests.benchmarks.live.by_hand import ByHand
from tests.benchmarks.live.ours import Ours, Site
from tests.benchmarks.live.steps import Deployment

_SAMPLE = REPOSITORY / "include/examples/services/plain-service"
_COMPONENT = "bench"
_CASES = {"postgresql": "PostgreSQL, LocalExecutor", "sqlite": "SQLite, LocalExecutor"}
"""The sandbox's Airflow, named by its database."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.live", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--case", default=_CASES[SETTINGS.database], help="its name in the table")
    parser.add_argument(
        "--airflow", metavar="URL", help="not the sandbox's; AIRFLOW_USER, AIRFLOW_PASSWORD say who"
    )
    asked = parser.parse_args()
    known = stack.exports(enabled_parts())
    if missing := {"AIRFLOW_URL", "REGISTRY", "KUBECONFIG", "GATEWAY_URL"} - known.keys():
        sys.exit(f"The sandbox has no {', '.join(sorted(missing))}; run: make up")
    who = os.environ if asked.airflow else known
    site = Site(asked.airflow or known["AIRFLOW_URL"], who["AIRFLOW_USER"], who["AIRFLOW_PASSWORD"])
    name = uuid.uuid4().hex[:6]
    services = {"ours": f"live-{name}", "script": f"by-hand-{name}"}
    try:
        aside = _set_aside() if asked.airflow else contextlib.nullcontext()
        with aside, tempfile.TemporaryDirectory(prefix="bench-live-") as folder:
            ours, script = _rounds(known, site, services, Path(folder), asked.rounds)
    finally:
        _clean(known, services)
    _tell(asked.case, ours, script)


def _rounds(
    known: dict[str, str], site: Site, services: dict[str, str], folder: Path, rounds: int
) -> tuple[list[Deployment], list[Deployment]]:
    """Run the rounds, after one round that is not measured and fills caches."""
    dag = Ours(site)
    by_hand = ByHand(known, _manifest(services["script"], "0"), folder)
    ours, script = [], []
    for number in range(rounds + 1):
        version = f"1.0.{number}"
        archive = zip_folder(_SAMPLE, {"src/number.py": f"NUMBER = {number}\n".encode()})
        places = {
            who: f"datafactory/{_COMPONENT}/{name}/{version}/{name}-{version}.zip"
            for who, name in services.items()
        }
        for place in places.values():
            upload(archive, place)
        ours.append(dag.run(_manifest(services["ours"], version)))
        script.append(by_hand.run(places["script"], version))
    return ours[1:], script[1:]


@contextlib.contextmanager
def _set_aside() -> Iterator[None]:
    """Suspend the sandbox's Airflow, which uses a sixth of a core even when idle."""
    found = process.find(Airflow.name)
    group = os.getpgid(found.pid) if found else None
    if group:
        os.killpg(group, signal.SIGSTOP)
    try:
        yield
    finally:
        if group:
            os.killpg(group, signal.SIGCONT)


def _manifest(name: str, version: str) -> dict[str, Any]:
    return {
        "component": _COMPONENT,
        "serviceName": name,
        "version": version,
        "environment": "dev",
    }


def _clean(known: dict[str, str], services: dict[str, str]) -> None:
    for name in services.values():
        selector = f"app.kubernetes.io/instance={_COMPONENT}-{name}"
        kinds = "deployment,service,poddisruptionbudget,httproute,pod"
        subprocess.run(
            ["kubectl", "delete", kinds, "-n", known["NAMESPACE"], "-l", selector, "--wait=false"],
            env={**os.environ, "KUBECONFIG": known["KUBECONFIG"], "PATH": known["PATH"]},
            stdout=subprocess.DEVNULL,
            check=False,
        )


def _tell(case: str, ours: list[Deployment], script: list[Deployment]) -> None:
    figures = _summary(ours, script)
    target = REPOSITORY / ".bench/live.json"
    target.parent.mkdir(exist_ok=True)
    before = json.loads(target.read_text())["cases"] if target.exists() else {}
    target.write_text(json.dumps({"cases": before | {case: figures}}, indent=2) + "\n")
    print("| case | ours s | script s | ratio | on top s | of it between tasks | recorded s |")
    print("|---|---|---|---|---|---|---|")
    keys = ("ours_s", "script_s", "ratio", "on_top_s", "between_tasks_s", "recorded_s")
    print(f"| {case} | " + " | ".join(str(figures[key]) for key in keys) + " |\n")
    print("| step | waits s | ours s | script s |\n|---|---|---|---|")
    for name, step in figures["steps"].items():
        print(f"| `{name}` | {step['waits_s']} | {step['ours_s']} | {step.get('script_s', '')} |")


def _summary(ours: list[Deployment], script: list[Deployment]) -> dict[str, Any]:
    """Medians of all rounds."""
    mine = _median([run.live_seconds for run in ours])
    by_hand = _median([run.live_seconds for run in script])
    waits, own = _each([run.waits() for run in ours]), _each([run.own() for run in ours])
    theirs = _each([run.own() for run in script])
    return {
        "rounds": len(ours),
        "ours_s": mine,
        "script_s": by_hand,
        "ratio": round(mine / by_hand, 2),
        "on_top_s": round(mine - by_hand, 2),
        "between_tasks_s": _median([sum(run.waits().values()) for run in ours]),
        "recorded_s": _median([run.recorded_seconds for run in ours]),
        "all_ours_s": [round(run.live_seconds, 2) for run in ours],
        "all_script_s": [round(run.live_seconds, 2) for run in script],
        "steps": {
            name: {"waits_s": waits[name], "ours_s": own[name]}
            | ({"script_s": theirs[name]} if name in theirs else {})
            for name in own
        },
    }


def _each(runs: list[dict[str, float]]) -> dict[str, float]:
    return {name: _median([run[name] for run in runs]) for name in runs[0]}


def _median(values: list[float]) -> float:
    return round(statistics.median(values), 2)


if __name__ == "__main__":
    main()
