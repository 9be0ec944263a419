"""A public service becomes internal, and rollbacks go in both directions."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import requests
from kubernetes import client

from sandbox.airflow.api import AirflowApi
from sandbox.airflow.deploy import follow


def test_a_service_becomes_internal_and_rollbacks_go_both_ways(
    service: Callable[..., Any], api: AirflowApi, cluster: Any, environment: dict[str, str]
) -> None:
    target = service("plain-service")
    namespace = environment["NAMESPACE"]

    def roll_back() -> Any:
        asked = {key: target.manifest[key] for key in ("component", "serviceName", "environment")}
        run_id = f"e2e-back-{time.time_ns()}"
        api.trigger("rollback_service", asked, run_id)
        outcome = follow(api, run_id, dag_id="rollback_service")
        assert outcome.ok, f"{outcome.failed_step}: {outcome.error}"
        return outcome

    def routes() -> list[Any]:
        return list(
            client.CustomObjectsApi(cluster).list_namespaced_custom_object(
                *("gateway.networking.k8s.io", "v1", namespace, "httproutes"),
                label_selector=f"app.kubernetes.io/instance={target.object_name}",
            )["items"]
        )

    first = target.deploy()
    assert first.ok, first.error
    inside = target.deploy(internal=True)
    assert inside.ok, inside.error
    assert inside.url == f"http://{target.object_name}.{namespace}.svc"
    assert requests.get(first.url + "/health", timeout=10).status_code == 404
    assert routes() == []

    assert roll_back().url == first.url
    assert requests.get(first.url + "/health", timeout=10).status_code == 200

    assert roll_back().url == inside.url
    assert requests.get(first.url + "/health", timeout=10).status_code == 404
    assert routes() == []
