"""Every task can be cleared and run again without doing anything twice."""

from __future__ import annotations

import requests

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


def test_a_cleared_task_succeeds_again(service, api, apps, environment):
    plain = service("plain-service")
    first = plain.deploy(to_end=True)
    assert first.ok, first.error
    before = apps.read_namespaced_deployment(plain.object_name, environment["NAMESPACE"])
    for step in STEPS:
        clear(api, first.run_id, step)
        again = follow(api, first.run_id)
        assert again.ok, f"{step}: {again.error}"
        assert again.digest == first.digest
    after = apps.read_namespaced_deployment(plain.object_name, environment["NAMESPACE"])
    assert after.metadata.resource_version == before.metadata.resource_version
    assert requests.get(first.url, timeout=10).status_code == 200
