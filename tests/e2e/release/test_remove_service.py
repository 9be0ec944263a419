"""``remove_service`` removes a service, which can be deployed again."""

from __future__ import annotations

import time
import uuid
from typing import Any

import pytest
import requests
from kubernetes import client

STEPS = ["validate_removal", "remove_route", "remove_workload", "record_removal"]


@pytest.fixture
def take_away(api: Any) -> Any:
    """Runs ``remove_service``; returns the state, and the XComs by task and key."""

    def run(quotes: Any, **changes: Any) -> tuple[str, Any]:
        asked = {
            "component": quotes.manifest["component"],
            "serviceName": quotes.manifest["serviceName"],
            "environment": quotes.manifest["environment"],
            "confirm": quotes.object_name,
        } | changes
        run_id = f"e2e-{uuid.uuid4().hex}"
        api.trigger("remove_service", asked, run_id)
        path = f"dags/remove_service/dagRuns/{run_id}"
        end = time.monotonic() + 120
        while (state := api.get(path)["state"]) not in ("success", "failed"):
            assert time.monotonic() < end, f"run {run_id} has not ended"
            time.sleep(0.3)
        return state, lambda task, key="return_value": api.xcom(path, task, key)

    return run


def ours(cluster: Any, namespace: str, name: str) -> list[str]:
    """Kinds of the objects that a service has."""
    selector = {"label_selector": f"app.kubernetes.io/instance={name}"}
    routes = client.CustomObjectsApi(cluster).list_namespaced_custom_object(
        "gateway.networking.k8s.io", "v1", namespace, "httproutes", **selector
    )["items"]
    found = {
        "Deployment": client.AppsV1Api(cluster).list_namespaced_deployment(namespace, **selector),
        "Pod": client.CoreV1Api(cluster).list_namespaced_pod(namespace, **selector),
        "Service": client.CoreV1Api(cluster).list_namespaced_service(namespace, **selector),
        "PodDisruptionBudget": client.PolicyV1Api(cluster).list_namespaced_pod_disruption_budget(
            namespace, **selector
        ),
    }
    return [kind for kind, items in found.items() if items.items] + ["HTTPRoute"] * bool(routes)


def test_a_removed_service_can_be_removed_again_and_deployed_again(
    service, take_away, cluster, environment
):
    plain = service("plain-service")
    first = plain.deploy(environment="aks")  # an environment whose account has the smallest role
    assert first.ok, first.error
    here = cluster, environment["NAMESPACE"], plain.object_name

    state, _ = take_away(plain, confirm="plain-service")
    assert state == "failed"
    assert requests.get(first.url, timeout=10).ok

    state, xcom = take_away(plain)
    assert state == "success", [xcom(step, "error") for step in STEPS]
    kinds = {text.split()[0] for text in xcom("record_removal")["removed"]}
    assert kinds == {"HTTPRoute", "Deployment", "Service", "PodDisruptionBudget"}
    assert ours(*here) == []
    assert requests.get(first.url, timeout=10).status_code == 404

    state, xcom = take_away(plain)
    assert state == "success"
    assert xcom("record_removal")["removed"] == []

    again = plain.deploy()
    assert again.ok, again.error
    assert again.digest == first.digest, "the image is kept"
    assert requests.get(again.url, timeout=10).ok


def test_the_error_for_a_wrong_confirmation_says_what_to_type(service, take_away):
    plain = service("plain-service")
    state, xcom = take_away(plain, confirm="plain-service")
    assert state == "failed"
    assert f"type '{plain.object_name}' into confirm" in xcom("validate_removal", "error")


def test_an_object_that_no_release_created_stays(service, take_away, cluster, environment):
    plain = service("plain-service")
    core = client.CoreV1Api(cluster)
    foreign = client.V1Service(
        metadata=client.V1ObjectMeta(name=plain.object_name),
        spec=client.V1ServiceSpec(ports=[client.V1ServicePort(port=80)]),
    )
    core.create_namespaced_service(environment["NAMESPACE"], foreign)
    try:
        state, xcom = take_away(plain)
        assert state == "success"
        assert xcom("record_removal")["removed"] == []
        core.read_namespaced_service(plain.object_name, environment["NAMESPACE"])
    finally:
        core.delete_namespaced_service(plain.object_name, environment["NAMESPACE"])
