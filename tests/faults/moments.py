"""Waits for the moment to break something: when a task of a run reaches a state."""

from __future__ import annotations

import time
from typing import Any

from sqlalchemy import text

from sandbox.airflow.api import AirflowApi
from sandbox.airflow.deploy import upload
from tests.e2e.conftest import Service
from tests.e2e.metadata import metadata

_POLL_SECONDS, _END_SECONDS = 0.02, 180
IN_SMOKE_POD = "import socket\nSMOKE = '-smoke-' in socket.gethostname()\n"
"""Code for a service's module that recognises the smoke test's pod."""


def begin(
    api: AirflowApi,
    target: Service,
    changes: dict[str, bytes] | None = None,
    **fields: Any,
) -> str:
    """Upload and trigger without waiting for the end; returns the run's id."""
    manifest = target.manifest | fields
    name, version = manifest["serviceName"], manifest["version"]
    upload(target.zip(changes), f"datafactory/e2e/{name}/{version}/{name}-{version}.zip")
    run_id = f"faults-{time.time_ns()}"
    api.trigger("deploy_service", manifest, run_id)
    return run_id


def age(run_id: str) -> float:
    """Seconds since ``begin`` triggered the run."""
    return time.time() - int(run_id.rpartition("-")[2]) / 1e9


def reached(run_id: str, task: str, *states: str) -> None:
    """Return within 20 ms of the moment when the task is in one of the states.

    Reads Airflow's database, because the API is too slow for a state that lasts 0.2 s.
    """
    end = time.monotonic() + _END_SECONDS
    seen = None
    state = text("SELECT state FROM task_instance WHERE run_id = :run AND task_id = :task")
    with metadata() as database:
        while time.monotonic() < end:
            seen = database.scalar(state, {"run": run_id, "task": task})
            if seen in states:
                return
            time.sleep(_POLL_SECONDS)
    raise AssertionError(f"{task} of {run_id} is {seen} after {_END_SECONDS} s, not {states}")


def told(
    api: AirflowApi, run_id: str, task: str, key: str, text: str = "", *, seconds: float = 240
) -> str:
    """The XCom ``key`` of a task that has not ended, once the XCom contains ``text``.

    The next try of the task deletes the XCom.
    """
    run = f"dags/deploy_service/dagRuns/{run_id}"
    end = time.monotonic() + seconds
    seen = None
    while time.monotonic() < end:
        seen = api.xcom(run, task, key)
        if seen and text in str(seen):
            return str(seen)
        time.sleep(0.3)
    raise AssertionError(f"XCom {key} of {task} is {seen!r} after {seconds} s, without {text!r}")


def with_code(target: Service, code: str) -> dict[str, bytes]:
    """The service's module with ``code`` at the end."""
    text = (target.folder / "src/aiservice.py").read_text()
    return {"src/aiservice.py": f"{text}\n\n{code}".encode()}


def slow(target: Service, seconds: float) -> dict[str, bytes]:
    """A release whose deployed pods take ``seconds`` to start, which makes the rollout long."""
    return with_code(
        target, IN_SMOKE_POD + f"import time\nif not SMOKE:\n    time.sleep({seconds})\n"
    )
