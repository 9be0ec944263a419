"""A run succeeds although the scheduler is killed during a step."""

from __future__ import annotations

import signal
import threading
import time

import psutil
import pytest
import requests

from sandbox.airflow.airflow import Airflow
from sandbox.airflow.api import AirflowApi
from sandbox.airflow.deploy import Outcome
from sandbox.core import process
from tests.e2e.conftest import SESSION


def family_of_the_scheduler(airflow: psutil.Process) -> list[psutil.Process]:
    for child in airflow.children(recursive=True):
        if child.cmdline()[-1:] == ["scheduler"]:
            return [child, *child.children(recursive=True)]
    raise AssertionError("Airflow has no scheduler")


@pytest.mark.alone
def test_the_scheduler_killed_during_the_build_and_restarted(service, api):
    slow = service("plain-service")
    archive = slow.zip(
        {"scripts/Dockerfile": b"FROM python:3.11\n"
         b"RUN sleep 8 # in no cache of an earlier session: " + SESSION.encode() + b"\n"
         b"COPY . /code\nWORKDIR /code\nRUN pip install -r lib/requirements.txt\n"
         b"ENV FLASK_APP=src.aiservice FLASK_RUN_HOST=0.0.0.0 FLASK_RUN_PORT=8002\n"
         b'CMD ["flask", "run"]\n'}
    )  # fmt: skip
    ended: list[Outcome] = []
    deployment = threading.Thread(
        target=lambda: ended.append(slow.deploy(archive=archive, to_end=True)), daemon=True
    )
    deployment.start()
    run_id = wait_for_step(api, slow.manifest["serviceName"], "build_image")
    airflow = process.find("airflow")
    assert airflow is not None
    for member in family_of_the_scheduler(airflow):
        member.send_signal(signal.SIGKILL)
    Airflow().restart()
    deployment.join(timeout=240)
    assert ended, f"run {run_id} had not ended after 240 s"
    assert ended[0].ok, ended[0].error
    assert ended[0].steps["build_image"]["tries"] >= 2
    assert requests.get(ended[0].url, timeout=10).status_code == 200


def wait_for_step(api: AirflowApi, name: str, step: str) -> str:
    """Wait until ``step`` of the service's newest run is running; returns the run id."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        for run in api.get("dags/deploy_service/dagRuns?limit=5&order_by=-run_after")["dag_runs"]:
            if run["conf"].get("serviceName") != name:
                continue
            path = f"dags/deploy_service/dagRuns/{run['dag_run_id']}/taskInstances/{step}"
            if api.get(path)["state"] == "running":
                time.sleep(3)  # now the step is in progress
                return str(run["dag_run_id"])
        time.sleep(0.2)
    raise AssertionError(f"{step} of {name} did not start")
