"""``python -m tests.benchmarks.guests [--runs N] [--pace S] [--small]``: our effect on
another team's DAGs.

A second Airflow runs an empty DAG every second: alone, and beside runs of ``deploy_service`` with
the largest valid conf, which fail in ``validate`` because their artifact does not exist. One run
starts every second, or every ``--pace`` seconds; with 0 all start at once. ``--small`` adds a case
with the smallest conf, to separate the effect of the runs from the effect of their size.

The delay of the empty DAG is the time from when a run is due until its end. Prints a table and
writes ``.bench/guests.json``; fails if the largest conf delays the empty DAG by more than half a
second, median or 95th percentile.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import string
import sys
import textwrap
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

from manifest_engine.domain.manifest import run_conf

from sandbox.airflow.api import AirflowApi
from sandbox.core.console import say
from sandbox.core.part import wait_until
from sandbox.core.settings import REPOSITORY
from tests.benchmarks.guests.second_airflow import SecondAirflow

MOST_SECONDS = 0.5
"""Allowed additional delay of the empty DAG, in seconds."""
_AHEAD = 30
"""Seconds from writing a DAG file to its first run, in which Airflow finds the file."""
_AT_ONCE = 8
_END_SECONDS = 900
_FIELDS = {"component": "guests", "version": "1.0", "environment": "dev", "dryRun": True}
_GUEST = """\
    from datetime import UTC, datetime, timedelta

    from airflow.providers.standard.operators.empty import EmptyOperator
    from airflow.sdk import DAG, DeltaTriggerTimetable

    with DAG(
        "{name}",
        schedule=DeltaTriggerTimetable(timedelta(seconds=1)),
        start_date=datetime.fromisoformat("{begin}"),
        end_date=datetime.fromisoformat("{end}"),
        catchup=True,  # a run that is due while the scheduler is blocked starts late
        max_active_runs=1000,
    ):
        EmptyOperator(task_id="nothing")
"""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.guests", description=__doc__)
    parser.add_argument("--runs", type=int, default=200, help="number of runs of deploy_service")
    parser.add_argument("--pace", type=float, default=1.0, help="seconds between two of them")
    parser.add_argument("--seconds", type=int, default=60, help="at least, of each case")
    parser.add_argument("--small", action="store_true", help="also runs with the smallest conf")
    asked = parser.parse_args()
    confs = {"alone": None, "small": _conf(0), "largest": _conf(run_conf.MAX_BYTES)}
    if not asked.small:
        del confs["small"]
    found: dict[str, Any] = {"runs": asked.runs, "pace": asked.pace, "conf_bytes": {}, "cases": {}}
    with SecondAirflow() as airflow:
        api = AirflowApi(airflow)
        for case, conf in confs.items():
            found["conf_bytes"][case] = len(_json(conf)) if conf else 0
            found["cases"][case] = _case(airflow, api, case, conf, asked)
    path = REPOSITORY / ".bench/guests.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(found, indent=2) + "\n")
    sys.exit(_tell(found))


def _case(
    airflow: SecondAirflow,
    api: AirflowApi,
    case: str,
    conf: dict[str, Any] | None,
    asked: argparse.Namespace,
) -> dict[str, Any]:
    begin = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=_AHEAD)
    name = f"guest_{case}"
    file = airflow.guests / f"{name}.py"
    end = begin + timedelta(seconds=_END_SECONDS)
    text = textwrap.dedent(_GUEST).format(name=name, begin=begin.isoformat(), end=end.isoformat())
    file.write_text(text)
    wait_until(lambda: None if api.get(f"dags/{name}") else "not found", 120, name, pause=1)
    while datetime.now(UTC) < begin:
        time.sleep(0.1)
    say("bench", f"{name}: an empty DAG every second")
    triggered = 0.0
    if conf:
        before = time.monotonic()
        _trigger(api, case, conf, asked)
        triggered = time.monotonic() - before
        say("bench", f"{asked.runs} runs triggered in {triggered:.0f} s")
        _await_ends(api, case, asked.runs)
    took = (datetime.now(UTC) - begin).total_seconds()
    time.sleep(max(0.0, asked.seconds - took))
    over = datetime.now(UTC)
    wait_until(lambda: _behind(api, name, over), _END_SECONDS, name, pause=1)
    api.session.patch(f"{api.base}/dags/{name}", json={"is_paused": True}, timeout=30)
    file.unlink()
    delays = sorted(_delays(api, name, over))
    return {
        "runs": len(delays),
        "seconds": round(took),
        "trigger_seconds": round(triggered, 1),
        "median": round(statistics.median(delays), 2),
        "p95": round(statistics.quantiles(delays, n=20, method="inclusive")[-1], 2),
        "max": round(delays[-1], 2),
    }


def _conf(size: int) -> dict[str, Any]:
    """A valid conf of this size in bytes, with random text."""
    conf = _FIELDS | {"serviceName": "largest" if size else "small"}
    if size:
        conf["env"] = {"SETTINGS": ""}
        words = random.Random(1)
        text = "".join(
            words.choice(string.ascii_lowercase[:8]) for _ in range(size - len(_json(conf)))
        )
        conf["env"] = {"SETTINGS": text}
    return conf


def _trigger(api: AirflowApi, case: str, conf: dict[str, Any], asked: argparse.Namespace) -> None:
    ids = [f"{case}-{at}" for at in range(asked.runs)]
    begin = time.monotonic()
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        begun = []
        for at, run_id in enumerate(ids):
            time.sleep(max(0.0, begin + at * asked.pace - time.monotonic()))
            begun.append(pool.submit(api.trigger, "deploy_service", conf, run_id))
        for one in begun:
            one.result()


def _await_ends(api: AirflowApi, case: str, number: int) -> None:
    deadline = time.monotonic() + _END_SECONDS
    states = {"queued", "running"}
    while time.monotonic() < deadline:
        asked = f"dags/deploy_service/dagRuns?run_id_pattern={case}-%&limit=1"
        if not sum(api.get(f"{asked}&state={state}")["total_entries"] for state in states):
            failed = api.get(f"{asked}&state=failed")["total_entries"]
            if failed != number:
                raise SystemExit(f"{failed} of {number} runs have failed in validate, not all")
            return
        time.sleep(1)
    raise SystemExit(f"the runs are not done after {_END_SECONDS} s")


def _behind(api: AirflowApi, name: str, over: datetime) -> str | None:
    """None once all runs that were due by then are done, else a sentence about the others."""
    last = api.get(f"dags/{name}/dagRuns?limit=1&order_by=-run_after")["dag_runs"]
    if not last or datetime.fromisoformat(last[0]["run_after"]) < over:
        return "not all runs are there"
    return (
        "not all runs are done" if any(end is None for _, end in _runs(api, name, over)) else None
    )


def _delays(api: AirflowApi, name: str, over: datetime) -> Iterator[float]:
    """Delay in seconds of each run that was due by then."""
    for due, end in _runs(api, name, over):
        assert end is not None
        yield (end - due).total_seconds()


def _runs(api: AirflowApi, name: str, over: datetime) -> Iterator[tuple[datetime, datetime | None]]:
    offset = 0
    while page := api.get(f"dags/{name}/dagRuns?limit=100&offset={offset}")["dag_runs"]:
        for run in page:
            due, end = datetime.fromisoformat(run["run_after"]), run["end_date"]
            if due < over:
                yield due, datetime.fromisoformat(end) if end else None
        offset += len(page)


def _json(conf: dict[str, Any]) -> bytes:
    return json.dumps(conf, ensure_ascii=False, separators=(",", ":")).encode()


def _tell(found: dict[str, Any]) -> int:
    """Print the table. Exit status 1 if the largest conf delays the empty DAG too much."""
    lines = [
        f"| {found['runs']} runs of deploy_service | median s | p95 s | max s | runs | took s |",
        "|" + "---|" * 6,
    ]
    for case, one in found["cases"].items():
        lines.append(
            f"| {case} ({found['conf_bytes'][case]} bytes) | {one['median']} | {one['p95']} "
            f"| {one['max']} | {one['runs']} | {one['seconds']} |"
        )
    sys.stdout.write("\n".join([*lines, ""]))
    alone, largest = found["cases"]["alone"], found["cases"]["largest"]
    return any(largest[key] - alone[key] > MOST_SECONDS for key in ("median", "p95"))


if __name__ == "__main__":
    main()
