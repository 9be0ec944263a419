"""Deploys through the stack of docker-compose.yaml, with the helpers of tests/e2e."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from sandbox.airflow.airflow import Airflow
from sandbox.airflow.api import AirflowApi
from sandbox.airflow.database import Database
from sandbox.compose import configuration
from sandbox.compose.compose import Compose
from tests.e2e.conftest import (
    SESSION,
    WATCHED_SECONDS,
    Service,
    apps,
    cluster,
    exports_of_the_sandbox,
    remove,
    watching,
)

__all__ = ["apps", "cluster"]  # fixtures


class ManyService(Service):
    """A sample service that is deployed through the stack."""

    airflow = Compose()


@pytest.fixture(scope="session", autouse=True)
def environment() -> dict[str, str]:
    """The sandbox's variables. The stack does not need the sandbox's own Airflow."""
    return exports_of_the_sandbox(without=(Airflow.name, Database.name))


@pytest.fixture(scope="session")
def compose() -> Compose:
    found = Compose()
    if problem := found.health():
        pytest.fail(f"The compose stack is not up, run `make compose-up`: {problem}", pytrace=False)
    return found


@pytest.fixture(scope="session", autouse=True)
def short_watch(compose: Compose) -> Iterator[None]:
    """As for the sandbox's own Airflow (``tests/e2e/conftest.py``)."""

    def watch(seconds: int | None) -> None:
        with configuration.environments_file().open("r+") as file:  # containers mount this inode
            text = watching(file.read(), seconds)
            file.seek(0)
            file.write(text)
            file.truncate()

    watch(WATCHED_SECONDS)
    yield
    watch(None)


@pytest.fixture(scope="session")
def many(compose: Compose) -> AirflowApi:
    """The REST API of the stack's Airflow."""
    return AirflowApi(compose)


@pytest.fixture(scope="module")
def quotes(compose: Compose, cluster: Any, environment: dict[str, str]) -> Iterator[ManyService]:
    """A service that all tests of a module deploy in turn."""
    made = ManyService("quote-service", f"many-{SESSION}")
    yield made
    remove(cluster, environment["NAMESPACE"], made.object_name)


def steps(api: AirflowApi, run_id: str) -> dict[str, dict[str, Any]]:
    """The task instances of a run that ran on a worker, by task."""
    path = f"dags/deploy_service/dagRuns/{run_id}/taskInstances?limit=100"
    return {item["task_id"]: item for item in api.get(path)["task_instances"] if item["hostname"]}


def log(api: AirflowApi, run_id: str, task: str, try_number: int = 1) -> str:
    """The log of one try, as Airflow's UI shows it."""
    path = f"dags/deploy_service/dagRuns/{run_id}/taskInstances/{task}/logs/{try_number}"
    content = api.get(f"{path}?full_content=true")["content"]
    return "\n".join(str(line.get("event", line)) for line in content)
