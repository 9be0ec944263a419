"""Shared fixtures: the parts of the sandbox, found by ``python -m sandbox env``."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest

from tests.integration.names import COMPONENT

REPOSITORY = Path(__file__).resolve().parents[2]
FIX = "Bring the sandbox up: .venv/bin/python -m sandbox up"

# Set before the first import of Airflow.
os.environ.setdefault("AIRFLOW__CORE__UNIT_TEST_MODE", "False")
os.environ.setdefault("AIRFLOW__CORE__LOAD_EXAMPLES", "False")

_LONG = ("test_in_flight.py", "test_under_load.py", "test_failed_rollouts.py", "test_faults.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the slowest files first, because one worker runs all tests of a file."""
    items.sort(key=lambda item: item.path.name not in _LONG)


@pytest.fixture(scope="session")
def sandbox() -> dict[str, str]:
    """The variables of ``python -m sandbox env``, also set in this process."""
    done = subprocess.run(
        [sys.executable, "-m", "sandbox", "env"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if done.returncode:
        pytest.fail(f"{done.stderr.strip()} {FIX}")
    found = {}
    for line in done.stdout.splitlines():
        key, _, value = line.removeprefix("export ").partition("=")
        found[key] = "".join(shlex.split(value))
    os.environ.update(found)
    return found


@pytest.fixture(scope="session")
def kube(sandbox: dict[str, str]) -> Callable[..., str]:
    """``kubectl`` on the sandbox's cluster, as another user of the cluster."""

    def run(*words: str, given: str | None = None, check: bool = True) -> str:
        done = subprocess.run(
            ["kubectl", *words], input=given, capture_output=True, text=True, timeout=120,
            check=False,
        )  # fmt: skip
        if check and done.returncode:
            pytest.fail(f"kubectl {' '.join(words)}: {done.stderr}")
        return done.stdout

    kubeconfig = sandbox.get("KUBECONFIG")
    if not kubeconfig:
        pytest.fail(f"There is no cluster. {FIX} --only gateway --only pull-secret")
    if "ok" not in run("get", "--raw", "/readyz", "--request-timeout=5s", check=False):
        pytest.fail(f"The cluster does not answer. {FIX} --only gateway --only pull-secret")
    os.environ["AIRFLOW_CONN_KUBERNETES_DEFAULT"] = json.dumps(
        {"conn_type": "kubernetes", "extra": {"kube_config_path": kubeconfig}}
    )
    return run


@pytest.fixture(scope="session")
def namespace(kube: Callable[..., str], sandbox: dict[str, str]) -> Iterator[str]:
    """A namespace for this test run, with the pull secret of the registry."""
    name = f"tests-{uuid4().hex[:8]}"
    kube("create", "namespace", name)
    try:
        secret = kube("get", "secret", "registry", "-n", sandbox["NAMESPACE"], "-o", "json")
        copied = json.loads(secret)
        copied["metadata"] = {"name": "registry", "namespace": name}
        kube("apply", "-f", "-", given=json.dumps(copied))
        yield name
    finally:
        kube("delete", "namespace", name, "--wait=false")


SERVICE = Path(__file__).with_name("service")


def build_and_push(image: str, recipe: str, folder: Path = SERVICE) -> str:
    """Build a folder by the text of a Dockerfile, and push the image; returns the digest."""

    def docker(*words: str, given: str | None = None) -> str:
        done = subprocess.run(
            ["docker", *words], input=given, capture_output=True, text=True, timeout=180,
            check=False,
        )  # fmt: skip
        if done.returncode:
            pytest.fail(f"docker {' '.join(words)}: {done.stderr} {FIX} --only registry")
        return done.stdout

    build = ("buildx", "build", "-q", "--provenance=false", "--load", "-t", image, "-f", "-")
    docker(*build, str(folder), given=recipe)
    docker("push", "-q", image)
    digests = docker("image", "inspect", "--format", "{{json .RepoDigests}}", image)
    repository = image.rpartition(":")[0]
    return next(item.split("@")[1] for item in json.loads(digests) if item.startswith(repository))


@pytest.fixture(scope="session")
def push_image(sandbox: dict[str, str]) -> Callable[[Path, str], str]:
    """Builds a folder and pushes it to ``datafactory/{COMPONENT}/service:{tag}``; its digest."""

    def push(folder: Path, tag: str) -> str:
        image = f"{sandbox['REGISTRY']}/datafactory/{COMPONENT}/service:{tag}"
        return build_and_push(image, (folder / "Dockerfile").read_text(), folder)

    return push


@pytest.fixture(scope="session")
def digest(push_image: Callable[[Path, str], str]) -> str:
    """Digest of the test service's image."""
    return push_image(SERVICE, "1")


@pytest.fixture
def make_release(sandbox: dict[str, str], kube: Any, namespace: str) -> Callable[..., Any]:
    """Plans a release of the test service. Keyword arguments are manifest fields."""
    from manifest_engine.domain.environment.environment import Environment
    from manifest_engine.domain.manifest import manifest
    from manifest_engine.domain.release import release

    given = {
        "artifactory": {"connection": "artifactory_default", "repository": "datafactory"},
        "builders": ["docker_default"],
        "registry": {"connection": "acr_default"},
        "cluster": {
            "connection": "kubernetes_default",
            "namespace": namespace,
            "imagePullSecrets": ["registry"],
            "minReadySeconds": 0,  # most tests need no watch of the new pods
        },
        "routing": {
            "url": sandbox["GATEWAY_URL"],
            "gateway": {"name": "datafactory-gateway", "namespace": "gateway-system"},
        },
    }

    def make(
        *,
        run_id: str = "",
        cluster: dict[str, Any] | None = None,
        routing: dict[str, Any] | None = None,
        pods: dict[str, Any] | None = None,
        **fields: Any,
    ) -> release.Release:
        environment = given | {
            "cluster": given["cluster"] | (cluster or {}),  # type: ignore[operator]
            "routing": given["routing"] | (routing or {}),  # type: ignore[operator]
            "pods": pods or {},
        }
        asked = {"component": COMPONENT, "serviceName": "service", "version": "1", "replicas": 1}
        asked |= {"environment": "dev", "startupSeconds": 20}
        return release.plan(
            manifest.parse(asked | fields),
            Environment.model_validate(environment, strict=False),
            login_server=sandbox["REGISTRY"],
            run_id=run_id or f"run-{uuid4().hex[:8]}",
            requested_at=datetime.now(UTC),
            requested_by="tester",
        )

    return make


def _push_into(pushed: dict[str, Any]) -> Callable[..., None]:
    def xcom_push(key: str, value: Any) -> None:
        pushed[key] = value

    return xcom_push


@pytest.fixture
def context() -> Callable[..., Any]:
    """Makes the part of a task's context that our operators use. ``pushed`` collects XComs."""

    def make(run_id: str, *, task_id: str = "task", try_number: int = 1) -> dict[str, Any]:
        pushed: dict[str, Any] = {}
        ti = SimpleNamespace(
            dag_id="deploy_service",
            task_id=task_id,
            run_id=run_id,
            try_number=try_number,
            max_tries=3,
            map_index=-1,
            xcom_push=_push_into(pushed),
        )
        dag_run = SimpleNamespace(
            run_id=run_id, run_type="manual", triggering_user_name="tester", conf={}
        )
        made = {"ti": ti, "run_id": run_id, "dag_run": dag_run, "dag": SimpleNamespace()}
        return made | {"pushed": pushed}

    return make


@pytest.fixture(scope="module")
def deletes_workloads(kube: Any, namespace: str) -> Iterator[None]:
    """Delete all workloads after the module. Tests in one module share running workloads."""
    yield
    kinds = "deployments,services,poddisruptionbudgets,horizontalpodautoscalers"
    kube("delete", kinds, "--all", "-n", namespace, "--wait=true")


@pytest.fixture
def running(
    kube: Any, namespace: str, make_release: Any, digest: str, deletes_workloads: None
) -> Callable[..., Any]:
    """Applies a release's workload with kubectl and waits for the rollout."""
    from manifest_engine.domain.workload import resources

    def start(**fields: Any) -> Any:
        release = make_release(**fields)
        for an_object in resources.workload(release, digest, {}):
            words = ("--server-side", "--field-manager=manifest-engine", "--force-conflicts")
            kube("apply", *words, "-f", "-", given=json.dumps(an_object))
        name = f"deployment/{release.name}"
        kube("rollout", "status", name, "-n", namespace, "--timeout=60s")
        return release

    return start


@pytest.fixture
def publish(context: Callable[..., Any], kube: Callable[..., str]) -> Callable[..., Any]:
    """Runs the step ``publish_route`` for a release."""
    from manifest_engine.operators.route.publish_route import PublishRoute

    def run(release: Any) -> dict[str, Any]:
        task = PublishRoute(task_id="publish_route", release=release.dump())
        done = task.execute(context(release.run_id))
        # watch_release does this at its end.
        where = "-n", release.environment.cluster.namespace, "--ignore-not-found"
        kube("delete", "lease", f"{release.name}.manifest-engine", *where)
        return done

    return run
