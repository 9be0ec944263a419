"""Every task can be cleared and run again without doing anything twice."""

from __future__ import annotations

from typing import Any

import requests
from kubernetes.client import V1Deployment

from sandbox.airflow.api import AirflowApi
from sandbox.airflow.deploy import follow
from tests.e2e.deploy.test_deploy_service import STEPS


def clear(api: AirflowApi, run_id: str, task: str) -> None:
    """Clear only one task, as in the UI."""
    answer = api.session.post(
        f"{api.base}/dags/deploy_service/clearTaskInstances",
        json={
            "dry_run": False,
            "dag_run_id": run_id,
            "task_ids": [task],
            "only_failed": False,
            "reset_dag_runs": True,
        },
        timeout=30,
    )
    answer.raise_for_status()


def written(deployment: V1Deployment) -> dict[str, Any]:
    """When each manager last changed the object. Changes of the status do not count."""
    metadata = deployment.metadata
    times = {
        entry.manager: entry.time for entry in metadata.managed_fields if entry.subresource is None
    }
    assert times
    return {"generation": metadata.generation, "uid": metadata.uid, **times}


def test_a_cleared_task_succeeds_again(service, api, apps, environment):
    plain = service("plain-service")
    first = plain.deploy(to_end=True)
    assert first.ok, first.error
    before = written(apps.read_namespaced_deployment(plain.object_name, environment["NAMESPACE"]))
    for step in STEPS:
        clear(api, first.run_id, step)
        again = follow(api, first.run_id)
        assert again.ok, f"{step}: {again.error}"
        assert again.digest == first.digest
    after = written(apps.read_namespaced_deployment(plain.object_name, environment["NAMESPACE"]))
    assert after == before
    assert requests.get(first.url, timeout=10).status_code == 200
