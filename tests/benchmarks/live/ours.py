"""The deployment by the DAG, triggered over HTTP. The times are Airflow's times of tasks."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import requests

from sandbox.airflow.api import AirflowApi
from tests.benchmarks.live.steps import Deployment, Step

_DAG = "deploy_service"
_LAST = "record_release"
_POLL_SECONDS = 0.5
_END_SECONDS = 300


@dataclass(frozen=True)
class Site:
    """An Airflow and the login."""

    url: str
    user: str
    password: str

    def token(self) -> str:
        who = {"username": self.user, "password": self.password}
        answer = requests.post(f"{self.url}/auth/token", json=who, timeout=30)
        answer.raise_for_status()
        return str(answer.json()["access_token"])


class Ours:
    """Deploys by one Airflow."""

    def __init__(self, site: Site) -> None:
        self._api = AirflowApi(site)

    def run(self, asked: dict[str, Any]) -> Deployment:
        """Raises RuntimeError with the failed step's sentence."""
        run_id = f"bench-{uuid.uuid4().hex[:8]}"
        run = f"dags/{_DAG}/dagRuns/{run_id}"
        made = Deployment(time.time())
        self._api.trigger(_DAG, asked, run_id)
        end = time.monotonic() + _END_SECONDS
        while (state := self._api.get(run)["state"]) not in ("success", "failed"):
            if time.monotonic() > end:
                raise RuntimeError(f"{run_id} took longer than {_END_SECONDS} s")
            time.sleep(_POLL_SECONDS)
        tasks = self._api.get(f"{run}/taskInstances")["task_instances"]
        if state == "failed":
            name = next(task["task_id"] for task in tasks if task["state"] == "failed")
            raise RuntimeError(f"{run_id} failed at {name}: {self._api.xcom(run, name, 'error')}")
        ran = [task for task in tasks if task["start_date"] and task["state"] == "success"]
        for task in sorted(ran, key=lambda task: task["start_date"]):
            step = Step(task["task_id"], _seconds(task["start_date"]), _seconds(task["end_date"]))
            made.steps.append(step)
            if step.name == _LAST:  # no person waits for later steps
                break
        return made


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
