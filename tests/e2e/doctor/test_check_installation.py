"""``check_installation`` on a worker of the real Airflow."""

from __future__ import annotations

import time

from sandbox.airflow.deploy import follow


def test_the_check_lists_versions_and_connections(api):
    run_id = f"e2e-check-{time.time_ns()}"
    api.trigger("check_installation", {"environment": "dev"}, run_id)
    outcome = follow(api, run_id, dag_id="check_installation")
    table = api.xcom(f"dags/check_installation/dagRuns/{run_id}", "check", "table")
    found = {(item["part"].split()[0], item["check"]): item for item in table["findings"]}
    missing = [item for item in found.values() if item["state"] == "missing"]
    assert (missing, outcome.state, table["ok"]) == ([], "success", True)
    assert "apache-airflow 3." in found["packages", "version"]["text"]
    assert found["cluster", "version"]["text"].startswith("Kubernetes v1.")
    assert found["builder", "engine"]["text"].startswith("Docker Engine ")
    assert found["registry", "push"]["state"] == "ok"
    assert table["counts"]["ok"] > 10
