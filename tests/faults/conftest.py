"""Fixtures of the fault suite: the sandbox, a live service, load, and the table."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client

from tests.e2e.conftest import (
    Service,
    api,
    apps,
    cluster,
    environment,
    remove,
    service,
    short_watch,
)
from tests.faults.table import Table
from tests.load import calling

__all__ = ["api", "apps", "cluster", "environment", "service", "short_watch"]  # fixtures

CLIENTS, PAUSE = 3, 0.05
"""About 50 requests a second, which detect a gap of 0.1 s at an acceptable load."""
_TABLE = pytest.StashKey[Table]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--table", type=Path, help="file to write the table of faults to")


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_TABLE] = Table()


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    table = config.stash[_TABLE]
    if not table.cases:
        return
    terminalreporter.section("faults")
    terminalreporter.write(table.markdown())
    if file := config.getoption("--table"):
        table.write(file)


@pytest.fixture(scope="session")
def faults(pytestconfig: pytest.Config) -> Table:
    return pytestconfig.stash[_TABLE]


@pytest.fixture(scope="module")
def live(
    request: pytest.FixtureRequest, cluster: Any, environment: dict[str, str]
) -> Iterator[Service]:
    """A live good release. Each case of the module leaves a good release live."""
    from tests.e2e.conftest import SESSION

    name = request.module.__name__.rpartition(".")[2].removeprefix("test_").replace("_", "-")
    made = Service("plain-service", f"faults-{name}-{SESSION}")
    first = made.deploy()
    assert first.ok, first.error
    yield made
    remove(cluster, environment["NAMESPACE"], made.object_name)


@pytest.fixture
def load(environment: dict[str, str]) -> Callable[[Service], AbstractContextManager[Any]]:
    """Calls a service's public URL during a block; afterwards the dict has the counts."""

    def run(target: Service) -> AbstractContextManager[dict[str, Any]]:
        path = f"/datafactory/e2e/{target.manifest['serviceName']}/health"
        return calling(environment["GATEWAY_URL"] + path, CLIENTS, PAUSE)

    return run


@pytest.fixture
def left_over(cluster: Any, environment: dict[str, str]) -> Callable[[Service], list[str]]:
    """Returns what a deployment must not leave: a held lease, smoke pods, a second ReplicaSet."""

    def look(target: Service) -> list[str]:
        name, namespace = target.object_name, environment["NAMESPACE"]
        mine = f"app.kubernetes.io/instance={name}"
        leases = client.CoordinationV1Api(cluster).list_namespaced_lease(
            namespace, label_selector=mine
        )
        pods = client.CoreV1Api(cluster).list_namespaced_pod(
            namespace, label_selector=f"manifest-engine.io/smoke-test-of={name}"
        )
        sets = client.AppsV1Api(cluster).list_namespaced_replica_set(namespace, label_selector=mine)
        active = [item.metadata.name for item in sets.items if item.spec.replicas]
        return [
            *(f"Lease {item.metadata.name}" for item in leases.items if item.spec.holder_identity),
            *(f"Pod {item.metadata.name}" for item in pods.items),
            *(f"ReplicaSet {item}" for item in active[1:]),
        ]

    return look
