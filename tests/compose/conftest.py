"""The stack of docker-compose.yaml, driven as the sandbox's own Airflow is in tests/e2e."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from sandbox.airflow.airflow import Airflow
from sandbox.airflow.api import AirflowApi
from sandbox.airflow.database import Database
from sandbox.compose.compose import Compose
from sandbox.core import stack
from sandbox.parts import enabled_parts
from tests.e2e.conftest import SESSION, Service, apps, cluster, remove

__all__ = ["apps", "cluster"]  # fixtures


class ManyService(Service):
    """A sample service that is deployed through the stack."""

    airflow = Compose()


@pytest.fixture(scope="session", autouse=True)
def environment() -> dict[str, str]:
    """The sandbox's variables, once every part but its own Airflow answers."""
    parts = enabled_parts()
    others = [part for part in parts if part.name not in (Airflow.name, Database.name)]
    down = {part.name: problem for part in others if (problem := part.ready())}
    if down:
        pytest.fail(f"The sandbox is not up, run `make up`: {down}", pytrace=False)
    return stack.exports(parts)


@pytest.fixture(scope="session")
def compose() -> Compose:
    found = Compose()
    if problem := found.health():
        pytest.fail(f"The compose stack is not up, run `make compose-up`: {problem}", pytrace=False)
    return found


@pytest.fixture(scope="session")
def many(compose: Compose) -> AirflowApi:
    """The REST API of the stack's Airflow."""
    return AirflowApi(compose)


@pytest.fixture(scope="module")
def quotes(compose: Compose, cluster: Any, environment: dict[str, str]) -> Iterator[ManyService]:
    """One service that the tests of a module deploy one after the other."""
    made = ManyService("quote-service", f"many-{SESSION}")
    yield made
    remove(cluster, environment["NAMESPACE"], made.object_name)


def steps(api: AirflowApi, run_id: str) -> dict[str, dict[str, Any]]:
    """The task instances of a deployment that ran on a worker, by task."""
    path = f"dags/deploy_service/dagRuns/{run_id}/taskInstances?limit=100"
    return {item["task_id"]: item for item in api.get(path)["task_instances"] if item["hostname"]}


def log(api: AirflowApi, run_id: str, task: str, try_number: int = 1) -> str:
    """The log of one try, as the pages show it."""
    path = f"dags/deploy_service/dagRuns/{run_id}/taskInstances/{task}/logs/{try_number}"
    content = api.get(f"{path}?full_content=true")["content"]
    return "\n".join(str(line.get("event", line)) for line in content)
