"""Infra Hub's API in the real API server: deploy, follow, read the error, cancel."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
import requests

from sandbox.airflow.airflow import Airflow
from sandbox.airflow.api import AirflowApi
from sandbox.airflow.deploy import upload
from tests.e2e.conftest import SESSION


class Hub:
    """A client of the API with a token."""

    def __init__(self, user: str = "admin") -> None:
        airflow = Airflow()
        self.base = f"{airflow.url}/manifest-engine/api/v1"
        self.http = requests.Session()
        self.http.headers["Authorization"] = f"Bearer {airflow.token(user)}"

    def __call__(self, method: str, path: str, **more: Any) -> requests.Response:
        return self.http.request(method, f"{self.base}/{path}", timeout=60, **more)

    def follow(self, run_id: str, after: str = "") -> list[tuple[str, dict[str, Any]]]:
        """Ids and data of all events until the stream ends."""
        headers = {"Last-Event-ID": after} if after else {}
        found = []
        with self("GET", f"deployments/{run_id}/events", headers=headers, stream=True) as answer:
            assert answer.headers["content-type"].startswith("text/event-stream")
            name = ""
            for line in answer.iter_lines(decode_unicode=True):
                key, _, value = line.partition(": ")
                if key == "id":
                    name = value
                elif key == "data":
                    found.append((name, json.loads(value)))
        return found


@pytest.fixture(scope="module")
def hub() -> Hub:
    return Hub()


def test_a_portal_deploys_once_follows_and_reads_the_result(hub: Hub, service: Callable[..., Any]):
    plain = service("plain-service")
    manifest, name = plain.manifest, plain.manifest["serviceName"]
    upload(plain.zip(), f"datafactory/e2e/{name}/1.0.0/{name}-1.0.0.zip")
    key = {"Idempotency-Key": f"order-{SESSION}"}
    begun = hub("POST", "deployments", json=manifest, headers=key)
    assert begun.status_code == 202, begun.text
    run_id = begun.json()["id"]
    assert begun.headers["location"].endswith(f"/manifest-engine/api/v1/deployments/{run_id}")
    again = hub("POST", "deployments", json=manifest, headers=key)
    assert (again.status_code, again.json()["id"]) == (202, run_id)
    other = hub("POST", "deployments", json=manifest | {"replicas": 1}, headers=key)
    assert other.status_code == 409

    events = hub.follow(run_id)
    steps = [data["name"] for _, data in events if "name" in data and data["state"] == "succeeded"]
    assert {"validate", "build_image", "smoke_test", "publish_route"} <= set(steps)
    end = events[-1][1]
    assert (end["state"], end["error"]) == ("live", None)
    assert requests.get(end["url"], timeout=10).json()["status"] == "ok"
    read = hub("GET", f"deployments/{run_id}").json()
    assert read["digest"].startswith("sha256:")
    assert (read["requestedBy"], read["requestedFrom"]) == ("admin", "rest_api")
    resumed = hub.follow(run_id, after="05-approve-0-skipped")
    assert resumed[0][0] >= "05"
    log = hub("GET", f"deployments/{run_id}/logs/validate").text
    assert f"Release e2e-{name} 1.0.0 for dev" in log
    assert hub("GET", f"deployments/{run_id}/logs/nothing").status_code == 404


def test_a_failure_has_its_step_and_its_error_at_the_end_of_the_log(
    hub: Hub, service: Callable[..., Any], api: AirflowApi
):
    manifest = service("plain-service").manifest | {"artifact": "datafactory/no/such.zip"}
    run_id = hub("POST", "deployments", json=manifest).json()["id"]
    end = hub.follow(run_id)[-1][1]
    assert (end["state"], end["failedStep"]) == ("failed", "download_artifact")
    assert "datafactory/no/such.zip" in end["error"]
    log = f"dags/deploy_service/dagRuns/{run_id}/taskInstances/download_artifact/logs/1"
    lines = [line for line in api.get(log)["content"] if not line["event"].startswith("::")]
    assert lines[-1].get("exit_code") == lines[-2]["event"] == end["error"]
    assert not [line for line in lines if "error_detail" in line]  # a traceback
    log = hub("GET", f"deployments/{run_id}/logs/download_artifact").text
    assert log.endswith(f" {end['error']}\n")


def test_a_dry_run_ends_planned_with_its_changes(hub: Hub, service: Callable[..., Any]):
    plain = service("plain-service")
    name = plain.manifest["serviceName"]
    upload(plain.zip(), f"datafactory/e2e/{name}/1.0.0/{name}-1.0.0.zip")
    run_id = hub("POST", "deployments", json=plain.manifest | {"dryRun": True}).json()["id"]
    end = hub.follow(run_id)[-1][1]
    assert (end["state"], end["url"]) == ("planned", None)
    assert any("Deployment" in str(item) for item in end["changes"])


def test_a_running_deployment_is_cancelled_and_nothing_is_applied(
    hub: Hub, service: Callable[..., Any], apps: Any, environment: dict[str, str]
):
    plain = service("plain-service")
    name = plain.manifest["serviceName"]
    slow = b"FROM python:3.11\nRUN sleep 60\nCOPY . /code\n"
    archive = plain.zip({"scripts/Dockerfile": slow})
    upload(archive, f"datafactory/e2e/{name}/1.0.0/{name}-1.0.0.zip")
    run_id = hub("POST", "deployments", json=plain.manifest).json()["id"]
    until = time.monotonic() + 60
    while hub("GET", f"deployments/{run_id}").json()["steps"][2]["state"] != "running":
        assert time.monotonic() < until
        time.sleep(0.5)
    assert hub("POST", f"deployments/{run_id}/cancel").json()["state"] == "cancelled"
    read = hub("GET", f"deployments/{run_id}").json()
    assert (read["state"], read["error"]) == ("cancelled", "Cancelled by admin.")
    assert hub("POST", f"deployments/{run_id}/cancel").status_code == 409
    found = apps.list_namespaced_deployment(
        environment["NAMESPACE"], label_selector=f"app.kubernetes.io/instance={plain.object_name}"
    )
    assert not found.items
