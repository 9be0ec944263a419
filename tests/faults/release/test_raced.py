"""Many runs of one service at the same time."""

from __future__ import annotations

import threading
import time
from collections import Counter

import requests

from sandbox.airflow.airflow import Airflow
from sandbox.airflow.api import AirflowApi
from sandbox.airflow.deploy import follow, upload

RUNS = 10


def test_ten_runs_of_one_service_at_once(faults, live, load, left_over, api):
    expected = (
        "each run succeeds or is refused as superseded by a later one, the one asked for last is "
        "live, nothing is left over, no request fails"
    )
    with faults.case(f"{RUNS} runs of one service at once", expected) as case:
        name = live.manifest["serviceName"]
        manifests, runs = [], []
        for number in range(RUNS):
            version = f"4.{number}"
            archive = live.zip(live.source("plain-service", f"racer-{number}"))
            upload(archive, f"datafactory/e2e/{name}/{version}/{name}-{version}.zip")
            manifests.append(live.manifest | {"version": version})
        with load(live) as found:
            for manifest in manifests:
                runs.append(f"faults-race-{manifest['version']}-{time.time_ns()}")
                api.trigger("deploy_service", manifest, runs[-1])
            outcomes = all_of(runs)
        superseded = [item for item in outcomes if item.error and "superseded" in item.error]
        states = Counter(item.state for item in outcomes)
        case.seen = (
            f"{states['success']} succeeded, {len(superseded)} superseded, slowest "
            f"{max(item.seconds for item in outcomes)} s"
        )
        other = [f"{item.failed_step}: {item.error}" for item in outcomes
                 if not item.ok and item not in superseded]  # fmt: skip
        assert other == []
        assert outcomes[-1].ok, outcomes[-1].error
        url = outcomes[-1].url
        assert url
        assert requests.get(url, timeout=10).json()["service"] == f"racer-{RUNS - 1}"
        assert left_over(live) == []
        case.load(found)


def all_of(runs):
    """Follow all runs in parallel; returns their outcomes."""
    ended = {}

    def one(run_id):
        ended[run_id] = follow(AirflowApi(Airflow()), run_id)

    threads = [threading.Thread(target=one, args=(run_id,), daemon=True) for run_id in runs]
    for thread in threads:
        thread.start()
        time.sleep(0.1)
    for thread in threads:
        thread.join(timeout=600)
    return [ended[run_id] for run_id in runs]
