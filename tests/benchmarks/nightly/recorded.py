"""Many recorded services in their own namespace, scaled to zero."""

from __future__ import annotations

import copy
import json
import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml
from kubernetes import client
from manifest_engine.domain.build import recipe
from manifest_engine.domain.environment import environments
from manifest_engine.domain.environment.environment import Environment
from manifest_engine.domain.manifest import manifest
from manifest_engine.domain.release import provenance, release
from manifest_engine.domain.workload import resources
from manifest_engine.hooks.registry.acr import AcrHook
from manifest_engine.services.build.build_source import STANDARD_DOCKERFILE
from manifest_engine.services.image.base_lookup import BaseLookup

from sandbox.airflow import configuration as airflow_configuration
from sandbox.core.settings import SETTINGS
from sandbox.kubernetes import rbac
from sandbox.kubernetes.kube import Kube
from tests.e2e.nightly import COMPONENT

Bases = dict[str, str]
"""Digests of base images by reference."""
_AT_ONCE = 8


def connect() -> None:
    """The sandbox's Connections, as Airflow reads them from the environment."""
    known = json.loads(airflow_configuration.connections(SETTINGS.state / "airflow").read_text())
    for name, connection in known.items():
        os.environ[f"AIRFLOW_CONN_{name.upper()}"] = json.dumps(connection)
    for name in ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"):
        os.environ[name] = str(SETTINGS.ca_bundle)


def environments_file(folder: Path, namespace: str) -> Path:
    """Write an environments.yaml with one environment in that namespace."""
    _, bench = _with_bench(namespace)
    path = folder / "environments.yaml"
    path.write_text(yaml.safe_dump({"environments": {"bench": bench}}))
    return path


def present(*references: str) -> Bases:
    """The current digests of the base images."""
    lookup = BaseLookup(AcrHook("acr_default"), ["docker_default"])
    found = {reference: lookup.current(reference) for reference in references}
    return {reference: min(current.digests) for reference, current in found.items()}


@contextmanager
def in_the_sandbox(namespace: str) -> Iterator[None]:
    """Add the environment to the sandbox's Airflow, which may also read the namespace."""
    path = airflow_configuration.environments(SETTINGS.state / "airflow")
    before = path.read_text()
    everything, bench = _with_bench(namespace)
    binding = rbac.binding("RoleBinding", rbac.ROLE, rbac.USER, rbac.USER)
    group = "/apis/rbac.authorization.k8s.io/v1"
    Kube().apply(f"{group}/namespaces/{namespace}/rolebindings/{rbac.USER}", binding)
    everything["environments"]["bench"] = bench
    path.write_text(yaml.safe_dump(everything))
    try:
        yield
    finally:
        path.write_text(before)


def _with_bench(namespace: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The sandbox's environments, with the environment ``dev`` in another namespace."""
    path = airflow_configuration.environments(SETTINGS.state / "airflow")
    everything: dict[str, Any] = yaml.safe_load(path.read_text())
    bench = copy.deepcopy(everything["environments"]["dev"])
    bench["cluster"]["namespace"] = namespace
    return everything, bench


@contextmanager
def services(
    cluster: client.ApiClient, namespace: str, number: int, file: Path, bases: Bases
) -> Iterator[None]:
    """Create ``number`` Deployments with the record of a release, without pods."""
    core, apps = client.CoreV1Api(cluster), client.AppsV1Api(cluster)
    core.create_namespace({"metadata": {"name": namespace}})
    try:
        environment = environments.load(file)["bench"]
        made = [_deployment(environment, at, bases) for at in range(number)]
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            list(pool.map(lambda body: apps.create_namespaced_deployment(namespace, body), made))
        while not _all_done(apps, namespace):
            time.sleep(1)
        yield
    finally:
        core.delete_namespace(namespace)


def _deployment(environment: Environment, at: int, bases: Bases) -> dict[str, Any]:
    base = sorted(bases)[at % len(bases)]
    asked = manifest.parse(
        {
            "component": COMPONENT,
            "serviceName": f"service-{at:03}",
            "version": "1.0",
            "environment": "bench",
            "env": {f"VARIABLE_{n}": "a value of some length" for n in range(10)},
        }
    )
    planned = release.plan(
        asked,
        environment,
        login_server="registry.example",
        run_id=f"run-{at}",
        requested_at=datetime(2026, 1, 1, tzinfo=UTC),
        requested_by="bench",
    )
    record = provenance.of(
        STANDARD_DOCKERFILE.read_bytes(),
        standard=True,
        args=recipe.build_args(asked),
        bases={base: bases[base]},
    )
    body = resources.workload(planned, "sha256:" + "1" * 64, {"sha256": "a" * 64}, record.dump())[0]
    body["spec"]["replicas"] = 0
    return body


def _all_done(apps: client.AppsV1Api, namespace: str) -> bool:
    found = apps.list_namespaced_deployment(namespace).items
    return all(
        any(item.reason == "NewReplicaSetAvailable" for item in one.status.conditions or [])
        for one in found
    )
