"""The sandbox's cluster behind the stand-ins for ARM and Entra ID, and Connections to it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from sandbox.kubernetes import files as cluster_files
from sandbox.kubernetes import rbac
from sandbox.services.azure import arm, entra
from sandbox.services.azure.arm import Arm
from tests.integration.azure.directories import Directory, of_the_sandbox

FIX = "Bring it up: .venv/bin/python -m sandbox up --only arm --only rbac"
SECONDS = 6
"""Lifetime of a token in tests that wait until it expires."""

Make = Callable[..., str]


@pytest.fixture(scope="session")
def azure(sandbox: dict[str, str]) -> dict[str, Any]:
    """Ids, credentials and addresses of tenant and cluster. Fails unless ARM answers."""
    if problem := Arm().ready():
        pytest.fail(f"There is no ARM stand-in: {problem}. {FIX}", pytrace=False)
    deployer, reader = entra.identity()["clients"]
    return {
        "connection": arm.connection(),
        "object_id": deployer["object_id"],
        "certificate": deployer["certificate_key"] + deployer["certificate"],
        "reader": reader,
        "local_cluster": arm.LOCAL_CLUSTER,
        "server": cluster_files.SERVER.removeprefix("https://"),
    }


@pytest.fixture(scope="session")
def aks_namespace(azure: dict[str, Any], kube: Any, namespace: str) -> str:
    """A namespace where the deployer has only the package's role."""
    bound = rbac.binding("RoleBinding", rbac.ROLE, azure["object_id"])
    kube("apply", "-n", namespace, "-f", "-", given=json.dumps(bound))
    return namespace


@pytest.fixture
def short_lived(azure: dict[str, Any]) -> Iterator[Directory]:
    """A directory whose tokens expire soon, as the token response announces."""
    with of_the_sandbox(token_seconds=SECONDS) as found:
        yield found


@pytest.fixture
def revoked_early(azure: dict[str, Any]) -> Iterator[Directory]:
    """A directory whose tokens expire soon, although the response announces an hour."""
    with of_the_sandbox(token_seconds=SECONDS, announced_seconds=3600) as found:
        yield found


@pytest.fixture
def connect(azure: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path_factory: Any) -> Make:
    """Defines a Connection: that of the sandbox, changed by ``extra`` and other keywords.

    Each test keeps kubeconfigs in a folder of its own.
    """
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path_factory.mktemp("kubeconfigs")))

    def make(conn_id: str = "aks_tests", *, extra: dict[str, Any] | None = None, **top: Any) -> str:
        known = {**azure["connection"], **top}
        known["extra"] = {**azure["connection"]["extra"], **(extra or {})}
        monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(known))
        return conn_id

    return make


@pytest.fixture
def deployment(kube: Any, aks_namespace: str) -> Iterator[str]:
    """A Deployment without pods, whose generation ``kube`` can raise."""
    kube("create", "deployment", "idle", "--image=none", "--replicas=0", "-n", aks_namespace)
    yield "idle"
    kube("delete", "deployment", "idle", "-n", aks_namespace, check=False)
