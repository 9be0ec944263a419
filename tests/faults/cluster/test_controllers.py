"""The cluster's controllers do not run, or act at the worst moment."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from airflow.sdk import Connection
from kubernetes import client
from manifest_engine.domain.release import history
from manifest_engine.domain.workload import resources
from manifest_engine.hooks.kubernetes.cluster import ClusterHook
from manifest_engine.services.workload.workload import Workload

from sandbox.airflow.deploy import follow
from sandbox.core.part import wait_until
from sandbox.kubernetes.cluster import Cluster
from tests.faults.breakage import down
from tests.faults.moments import begin, reached
from tests.unit.domain.release.releases import DIGEST, make_release

SYNC_SECONDS = 15.0
"""Time until a new autoscaler acts first. Source: kube-controller-manager,
``--horizontal-pod-autoscaler-sync-period``."""
SERVICES = 16
APART_SECONDS = 0.01
"""Step of the removal times of the autoscalers, relative to the first sync."""
SCALE = {"minReplicas": 2, "maxReplicas": 3}


@pytest.fixture
def hook(environment: dict[str, str]) -> ClusterHook:
    extra = json.dumps({"kube_config_path": environment["KUBECONFIG"]})
    return ClusterHook(
        "faults", connection=Connection(conn_id="faults", conn_type="kubernetes", extra=extra)
    )


@pytest.fixture
def namespace(cluster: Any) -> Iterator[str]:
    name = f"faults-{uuid.uuid4().hex[:8]}"
    core = client.CoreV1Api(cluster)
    core.create_namespace({"metadata": {"name": name}})
    yield name
    core.delete_namespace(name)


def apply(workload: Workload, name: str, **fields: Any) -> dict[str, Any]:
    """Apply a release with an image that does not exist; returns the Deployment."""
    release = make_release(
        cluster={"namespace": workload.namespace}, component="race", serviceName=name, **fields
    )
    live = workload.live()
    objects = resources.workload(release, DIGEST, {})
    return workload.apply(history.carry_over(objects, live), live)


def replicas_after(hook: ClusterHook, namespace: str, number: int) -> int:
    """Replicas of a service whose autoscaler was removed at about its first sync."""
    name = f"service-{number}"
    workload = Workload(hook, namespace, f"race-{name}")
    time.sleep(number)  # spread the load of the machine
    apply(workload, name, version="1", replicas=1)
    apply(workload, name, version="2", autoscale=SCALE)
    time.sleep(SYNC_SECONDS - number * APART_SECONDS)
    apply(workload, name, version="3", replicas=1)
    time.sleep(2)
    live = workload.live()
    assert live is not None
    return int(live["spec"]["replicas"])


def test_autoscalers_removed_as_they_act(faults, hook, namespace):
    expected = "each service has the replicas of its manifest, not those of its former autoscaler"
    with faults.case(f"{SERVICES} autoscalers removed about when they act", expected) as case:
        assert hook.api_client  # create the client once, not in each thread
        with ThreadPoolExecutor(SERVICES) as pool:
            found = list(
                pool.map(lambda number: replicas_after(hook, namespace, number), range(SERVICES))
            )
        case.seen = f"{found.count(1)} of {SERVICES} so"
        assert found == [1] * SERVICES


def test_scaled_and_deployed_again_without_controllers(
    *, faults, service, load, api, apps, environment
):
    """The Deployment was scaled, so it does not show that the first release became available."""
    expected = (
        "a run that takes the scaling over waits for the controllers, then succeeds; no request "
        "fails"
    )
    name = "kube-controller-manager killed, a first release scaled by hand and deployed again"
    with faults.case(name, expected) as case:
        target, where = service("plain-service"), environment["NAMESPACE"]
        first = target.deploy(replicas=1)
        assert first.ok, first.error
        with load(target) as found:
            with down("kube-controller-manager"):
                apps.patch_namespaced_deployment_scale(
                    target.object_name, where, {"spec": {"replicas": 2}}, field_manager="by-hand"
                )
                run_id = begin(api, target, takeOver=True)
                reached(run_id, "apply_deployment", "up_for_retry", "failed")
            outcome = follow(api, run_id)
        wait_until(Cluster().ready, 60, "the cluster")
        tries = outcome.steps["apply_deployment"]["tries"]
        case.seen = f"{outcome.state}, tries {tries}"
        assert outcome.ok, outcome.error
        assert tries == 2
        assert apps.read_namespaced_deployment(target.object_name, where).spec.replicas == 1
        case.load(found)
