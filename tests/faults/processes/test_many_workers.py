"""Workers and builders of the compose stack disappear during a deployment.

Run `make compose-up` first; `make faults` does.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
import requests

from sandbox.airflow.api import AirflowApi
from sandbox.airflow.deploy import Outcome
from sandbox.compose.compose import Compose
from sandbox.engine import docker_cli
from sandbox.engine.engine import Engine
from tests.compose.conftest import ManyService, compose, log, many, steps
from tests.e2e.conftest import SESSION, remove
from tests.e2e.deploy.test_deploy_service import STEPS

__all__ = ["compose", "many"]  # fixtures

_POLL_SECONDS = 0.05
_ROUNDS = 4
"""Number of deployments to kill a worker in each step, because some steps take only 0.5 s."""


class Watch(threading.Thread):
    """Passes each task instance of a service's newest run to ``see`` until ``stop``."""

    def __init__(self, version: str, service: ManyService, see: Callable[[Any], None]) -> None:
        super().__init__(daemon=True)
        self._api = AirflowApi(Compose())
        self._asked = {"serviceName": service.manifest["serviceName"], "version": version}
        self._see = see
        self._over = threading.Event()

    def run(self) -> None:
        run = None
        while not self._over.wait(_POLL_SECONDS):
            run = run or self._newest()
            path = f"dags/deploy_service/dagRuns/{run}/taskInstances?limit=100"
            for item in self._api.get(path)["task_instances"] if run else ():
                self._see(item)

    def stop(self) -> None:
        self._over.set()
        self.join(timeout=30)

    def _newest(self) -> str | None:
        path = "dags/deploy_service/dagRuns?limit=5&order_by=-run_after"
        for run in self._api.get(path)["dag_runs"]:
            if self._asked.items() <= run["conf"].items():
                return str(run["dag_run_id"])
        return None


def docker(*words: str) -> str:
    return docker_cli.docker(*words, host=Engine().host, what=f"docker {words[0]}", seconds=60)


@pytest.fixture
def plain(cluster, environment):
    made = ManyService("plain-service", f"faults-many-{SESSION}")
    yield made
    remove(cluster, environment["NAMESPACE"], made.object_name)


def deploy_watched(
    service: ManyService, number: int, see: Callable[[Any], None], **sizes: Any
) -> Outcome:
    """Deploy a new version, which has to be built."""
    version = f"1.{number}.0"
    watch = Watch(version, service, see)
    watch.start()
    try:
        changes = service.source("plain-service", f"release-{number}")
        return service.deploy(changes, to_end=True, version=version, **sizes)
    finally:
        watch.stop()


def test_a_worker_killed_in_each_step(faults, many, compose, plain):
    expected = "each deployment succeeds: another worker does the step again"
    killed: dict[str, str] = {}
    proven: set[str] = set()

    def kill(item: dict[str, Any]) -> None:
        task = item["task_id"]
        first = item["state"] == "running" and item["try_number"] == 1
        if first and item["hostname"] and task not in killed | dict.fromkeys(proven):
            killed[task] = item["hostname"]
            docker("kill", item["hostname"])
            docker("start", item["hostname"])

    with faults.case("a worker killed with -9 in each step", expected) as case:
        for number in range(_ROUNDS):
            killed.clear()
            outcome = deploy_watched(plain, number, kill)
            case.seen = f"{outcome.state} in round {number + 1}: {outcome.error}"
            assert outcome.ok, outcome.error
            answer = requests.get(outcome.url, timeout=10).json()
            assert answer["service"] == f"release-{number}"
            # A kill after the end of the step does not count.
            proven |= {task for task in killed if outcome.steps[task]["tries"] > 1}
            if proven >= set(STEPS):
                break
        case.seen = f"success in {number + 1} deployments, killed in {', '.join(sorted(proven))}"
        assert proven == set(STEPS)


def test_the_builder_gone_between_build_and_push(faults, many, compose, plain):
    expected = "the deployment succeeds: the image is built again on the other builder"
    gone: list[str] = []

    def stop(item: dict[str, Any]) -> None:
        if item["task_id"] == "build_image" and item["state"] == "success" and not gone:
            path = f"dags/deploy_service/dagRuns/{item['dag_run_id']}"
            gone.append(many.xcom(path, "build_image")["builder"].replace("_", "-"))
            docker("kill", compose.containers(gone[0])[0]["ID"])

    with faults.case("the builder gone between build and push", expected) as case:
        try:
            outcome = deploy_watched(plain, 9, stop)
        finally:
            for builder in gone:
                docker("start", compose.containers(builder)[0]["ID"])
        case.seen = f"{outcome.state} in {outcome.seconds} s without {gone}: {outcome.error}"
        assert outcome.ok, outcome.error
        pushes = range(1, steps(many, outcome.run_id)["push_image"]["try_number"] + 1)
        said = [log(many, outcome.run_id, "push_image", number) for number in pushes]
        assert any("built again" in text for text in said)
        assert requests.get(outcome.url, timeout=10).json()["service"] == "release-9"


def test_the_log_of_a_worker_that_is_gone_can_be_read(faults, many, compose, plain):
    expected = "the log of its task is there: it was uploaded when the task ended"
    with faults.case("a worker gone after its task", expected) as case:
        outcome = plain.deploy(version="1.10.0")
        assert outcome.ok, outcome.error
        host = steps(many, outcome.run_id)["build_image"]["hostname"]
        docker("kill", host)
        try:
            said = log(many, outcome.run_id, "build_image")
        finally:
            docker("start", host)
        case.seen = f"{len(said)} characters of the log of build_image"
        assert "Building" in said


def test_workers_are_added_and_taken_away(faults, compose):
    expected = "a third worker gets healthy, and goes again"
    with faults.case("one worker more and one less", expected) as case:
        for number in (3, 2):
            words = ("up", "--detach", "--wait", "--no-recreate", "--scale", f"worker={number}")
            compose.compose(*words, "worker", seconds=180)
            health = [item["Health"] for item in compose.containers("worker")]
            case.seen = f"{number} workers: {', '.join(health)}"
            assert health == ["healthy"] * number


def wait_healthy(compose: Compose) -> None:
    """Wait until all containers are healthy again."""
    deadline = time.monotonic() + 90
    while (problem := compose.health()) is not None:
        assert time.monotonic() < deadline, problem
        time.sleep(1)


@pytest.fixture(autouse=True)
def healthy_afterwards(compose):
    yield
    wait_healthy(compose)
