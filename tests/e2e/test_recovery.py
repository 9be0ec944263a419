"""Every task can be killed and retried: the run ends right, and nothing is done twice."""

from __future__ import annotations

import signal
import threading
import time

import psutil
import requests

from sandbox import process
from sandbox.airflow import Airflow
from sandbox.deploy import AirflowApi, Outcome, follow

STEPS = [
    "validate", "download_artifact", "build_image", "push_image", "smoke_test",
    "apply_deployment", "publish_route", "record_release", "describe_image",
]  # fmt: skip


def clear(api: AirflowApi, run_id: str, task: str) -> None:
    """Clear one task alone, as a person does in the UI."""
    answer = api.session.post(
        f"{api.base}/dags/deploy_service/clearTaskInstances",
        json={
            "dry_run": False,
            "dag_run_id": run_id,
            "task_ids": [task],
            "only_failed": False,
            "reset_dag_runs": True,
        },
        timeout=30,
    )
    answer.raise_for_status()


def test_any_task_cleared_and_run_again_ends_right(service, api, apps, environment):
    plain = service("plain-service")
    first = plain.deploy(to_end=True)
    assert first.ok, first.error
    before = apps.read_namespaced_deployment(plain.object_name, environment["NAMESPACE"])
    for step in STEPS:
        clear(api, first.run_id, step)
        again = follow(api, first.run_id, quiet=True)
        assert again.ok, f"{step}: {again.error}"
        assert again.digest == first.digest
    after = apps.read_namespaced_deployment(plain.object_name, environment["NAMESPACE"])
    assert after.metadata.resource_version == before.metadata.resource_version
    assert requests.get(first.url, timeout=10).status_code == 200


def family_of_the_scheduler(airflow: psutil.Process) -> list[psutil.Process]:
    for child in airflow.children(recursive=True):
        if child.cmdline()[-1:] == ["scheduler"]:
            return [child, *child.children(recursive=True)]
    raise AssertionError("Airflow has no scheduler")


def test_the_scheduler_killed_during_the_build_and_restarted(service, api):
    slow = service("plain-service")
    archive = slow.zip(
        {"scripts/Dockerfile": b"FROM python:3.11\nRUN sleep 12\nCOPY . /code\n"
         b"WORKDIR /code\nRUN pip install -r lib/requirements.txt\n"
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
    """Run id of the newest run of the service once ``step`` runs."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        for run in api.get("dags/deploy_service/dagRuns?limit=5&order_by=-run_after")["dag_runs"]:
            if run["conf"].get("serviceName") != name:
                continue
            path = f"dags/deploy_service/dagRuns/{run['dag_run_id']}/taskInstances/{step}"
            if api.get(path)["state"] == "running":
                time.sleep(3)  # into the middle of it
                return str(run["dag_run_id"])
        time.sleep(0.2)
    raise AssertionError(f"{step} of {name} did not start")
