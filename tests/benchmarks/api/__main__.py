"""``python -m tests.benchmarks.api``: API and pages with 1,000 services and 20,000 runs.

Starts a PostgreSQL of its own in a temporary folder, fills Airflow's tables, starts the API in a
process, and measures each route, each page, 200 followers at once, and the plan of each query; then
the pages once more while a cluster does not answer. Prints tables and writes ``.bench/api.json``;
fails when a GET takes more than 150 ms, a POST or a page more than 300 ms, or a page more than 2 s
while a cluster is away (95th percentile), or the followers take a whole core.
"""

from __future__ import annotations

import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

GET_MS, POST_MS, FOLLOWERS, FOLLOW_SECONDS = 150, 300, 200, 20
PAGE_MS, PAGE_AWAY_MS = 300, 2000
PORT = 18999
_BASE = f"http://127.0.0.1:{PORT}"
_REQUESTS = 100
"""Requests for each route."""


def main() -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that PostgreSQL is stopped
    with tempfile.TemporaryDirectory(prefix="bench-api-") as name:
        home = Path(name)
        home.chmod(0o755)
        os.environ["SANDBOX_STATE"] = str(home / "state")
        from sandbox.airflow import database

        server = database.Database()
        server.start()
        try:
            os.environ |= {
                "AIRFLOW_HOME": str(home),
                "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": database.url(home),
                "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
                "AIRFLOW__CORE__DAGS_FOLDER": str(Path("dags").resolve()),
                "AIRFLOW__CORE__PLUGINS_FOLDER": str(Path("plugins").resolve()),
            }
            database.make_empty()
            return _measure()
        finally:
            server.stop()


def _measure() -> int:
    for words in (("db", "migrate"), ("dags", "reserialize")):
        _say(f"airflow {' '.join(words)}")
        program = Path(sys.executable).with_name("airflow")
        subprocess.run([program, *words], check=True, stdout=subprocess.DEVNULL)
    from airflow.settings import engine

    from tests.benchmarks.api import records

    begin = time.monotonic()
    with engine.begin() as connection:
        records.fill(connection)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("VACUUM ANALYZE")
    _say(f"{records.RUNS} runs were added in {time.monotonic() - begin:.0f} s")
    result: dict[str, Any] = {"queries": _plans(engine)}
    with _server() as pid:
        result |= _requests(f"{_BASE}/api/v1", pid)
        result["pages"] = _pages(PAGE_MS, pid)
    with _server("prod") as pid:
        _say("while the cluster of prod does not answer:")
        result["pagesAway"] = _pages(PAGE_AWAY_MS, pid)
    Path(".bench").mkdir(exist_ok=True)
    Path(".bench/api.json").write_text(json.dumps(result, indent=2))
    measured = [*result["routes"], *result["pages"], *result["pagesAway"]]
    slow = [row for row in measured if row["p95"] > row["limit"]]
    return 1 if slow or result["followers"]["cores"] >= 1 else 0


@contextmanager
def _server(*away: str) -> Iterator[int]:
    """The API in a process; yields its id."""
    import requests

    words = [sys.executable, "-m", "tests.benchmarks.api.server", str(PORT), *away]
    process = subprocess.Popen(words)
    try:
        until = time.monotonic() + 120
        while True:
            try:
                requests.get(f"{_BASE}/api/v1/environments", timeout=60)
                break
            except requests.ConnectionError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.5)
        yield process.pid
    finally:
        process.terminate()
        process.wait()


def _pages(limit: int, pid: int) -> list[dict[str, Any]]:
    """Measure each page. The first request, which reads all runs once, is left out."""
    import requests

    from tests.benchmarks.api.records import RUNS, SERVICES

    number = SERVICES - 7
    service = f"/services/component-{number % 40}/service-{number}"
    two = f"from=api__{number + SERVICES}&to=api__{number + 2 * SERVICES}"
    session = requests.Session()
    session.get(f"{_BASE}/ui/", timeout=120).raise_for_status()
    pages = {
        "/": "Services",
        "/?view=matrix": "Services, as a matrix",
        "/?text=service-9&sort=-since": "Services, filtered and sorted",
        service: "a service",
        f"{service}/live": "its refreshed part",
        f"{service}/difference?{two}": "its difference of two deployments",
        "/deploy?component=component-1&serviceName=service-1": "Deploy",
        f"/deployments/api__{RUNS - SERVICES}": "a deployment",
        f"/deployments/api__{RUNS - 1}/state": "its refreshed part, while it runs",
        "/overview": "Overview",
        "/audit": "Audit",
        "/audit?by=ada&environment=prod&skip=1000": "Audit, filtered",
    }
    return [
        _timed(session, f"page {title}", limit, pid, method="GET", url=f"{_BASE}/ui{path}")
        for path, title in pages.items()
    ]


def _requests(base: str, pid: int) -> dict[str, Any]:
    import requests

    from tests.benchmarks.api.records import RUNS, SERVICES

    session = requests.Session()
    begin = time.monotonic()
    session.get(f"{base}/services", timeout=120).raise_for_status()
    first = time.monotonic() - begin
    number = SERVICES - 7
    service = f"services/component-{number % 40}/service-{number}"
    other = f"from=api__{number + SERVICES}&to=api__{number + 2 * SERVICES}"
    gets = {
        "services?limit=100": "GET services, 100 rows",
        "services?limit=500": "GET services, 500 rows",
        "services?result=failed&sort=-since&text=service-9": "GET services, filtered and sorted",
        service: "GET services/{component}/{serviceName}",
        f"{service}/deployments": "GET …/deployments, 20 deployments",
        f"{service}/differences?{other}": "GET …/differences",
        f"deployments/api__{RUNS - SERVICES}": "GET deployments/{id}",
        "environments": "GET environments",
        "manifest/schema": "GET manifest/schema",
    }
    routes = [
        _timed(session, title, GET_MS, pid, method="GET", url=f"{base}/{path}")
        for path, title in gets.items()
    ]
    manifest = {"component": "new", "serviceName": "new", "version": "1", "environment": "dev"}
    body = {"environment": "dev"}
    for path, title, given in (
        ("manifest/validate", "POST manifest/validate", manifest),
        ("deployments", "POST deployments", manifest),
        (f"{service}/rollback", "POST …/rollback", body),
        (f"{service}/restart", "POST …/restart", body),
    ):
        found = _timed(
            session, title, POST_MS, pid, method="POST", url=f"{base}/{path}", json=given
        )
        routes.append(found)
    found = _timed(
        session, "DELETE …", POST_MS, pid, method="DELETE", url=f"{base}/{service}?environment=dev"
    )
    routes.append(found)
    _say(f"the first list, which reads all runs once, took {first:.2f} s")
    return {"firstSeconds": first, "routes": routes, "followers": _follow(base, pid)}


def _timed(session: Any, title: str, limit: int, pid: int, **request: Any) -> dict[str, Any]:
    taken = []
    before = _cpu_seconds(pid)
    for at in range(_REQUESTS):
        headers = {
            "Authorization": f"Bearer {quote(title)}-{at // 50}"
        }  # the rate is limited for each
        begin = time.monotonic()
        answer = session.request(**request, headers=headers, timeout=60)
        taken.append((time.monotonic() - begin) * 1000)
        answer.raise_for_status()
    own = round((_cpu_seconds(pid) - before) * 1000 / _REQUESTS, 1)
    cuts = statistics.quantiles(taken, n=100)
    row = {"route": title, "median": round(cuts[49], 1), "p95": round(cuts[94], 1), "limit": limit}
    row["max"] = round(max(taken), 1)
    row["cpu"] = own
    _say(
        f"{title:<40} median {row['median']:>6} ms, p95 {row['p95']:>6} ms, "
        f"max {row['max']:>6} ms, {own} ms of the API's CPU"
    )
    return row


def _follow(base: str, pid: int) -> dict[str, Any]:
    """The share of a core that the API takes while clients follow deployments."""
    import requests

    from tests.benchmarks.api.records import FOLLOWED, RUNS

    events = [0] * FOLLOWERS
    over = threading.Event()

    def follow(at: int) -> None:
        url = f"{base}/deployments/api__{RUNS - at % FOLLOWED}/events"
        headers = {"Authorization": f"Bearer follower {at}"}
        with requests.get(url, headers=headers, stream=True, timeout=60) as answer:
            answer.raise_for_status()
            for line in answer.iter_lines():
                events[at] += line.startswith(b"id: ")
                if over.is_set():
                    return

    threads = [threading.Thread(target=follow, args=(at,), daemon=True) for at in range(FOLLOWERS)]
    for thread in threads:
        thread.start()
    until = time.monotonic() + 60
    while min(events) == 0 and time.monotonic() < until:
        time.sleep(0.2)
    before = _cpu_seconds(pid)
    time.sleep(FOLLOW_SECONDS)
    cores = (_cpu_seconds(pid) - before) / FOLLOW_SECONDS
    over.set()
    following = sum(1 for count in events if count)
    _say(f"{following} followers take {cores:.2f} of a core")
    return {"following": following, "cores": round(cores, 3)}


def _cpu_seconds(pid: int) -> float:
    import psutil

    return float(sum(psutil.Process(pid).cpu_times()[:2]))


def _plans(engine: Any) -> list[dict[str, Any]]:
    from manifest_engine.api import airflow_internals as airflow

    from tests.benchmarks.api import plans
    from tests.benchmarks.api.records import RUNS, SERVICES

    one = [f"api__{RUNS - SERVICES}"]
    page = [f"api__{number}" for number in range(SERVICES, RUNS, SERVICES)]
    found = plans.of(
        engine,
        {
            "facts of one deployment": lambda: airflow.facts(one),
            "facts of 19 deployments": lambda: airflow.facts(page),
            "the DAG of a deployment": lambda: airflow.dag_of(one[0]),
            "runs since the last reading": lambda: airflow.recorded(
                RUNS - 20, None, 5_000, range(RUNS - 10, RUNS)
            ),
            "the newest runs, once": lambda: airflow.recorded(None, None, 5_000),
            "queued and running runs": airflow.active,
            "states of 50 unfinished runs": lambda: airflow.states(range(RUNS - 50, RUNS)),
            "base images of the last nights": airflow.base_digests,
        },
    )
    for row in found:
        _say(f"{row['call']:<32} {row['milliseconds']:>8} ms  {'; '.join(row['scans'])}")
    return found


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
