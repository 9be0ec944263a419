"""Runs that wait for an approval do not delay other runs."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import Connection, MetaData, Table, text

from sandbox.core.settings import SETTINGS
from tests.e2e.approval.test_approval import answer, start
from tests.e2e.conftest import remove
from tests.e2e.metadata import metadata

WAITING = 100
START_SECONDS = 5.0


def copy(database: Connection, run_id: str, times: int) -> None:
    """Copy a run and its tasks in Airflow's database in one transaction.

    A hundred real runs would use two cores for minutes, and end up in the same states.
    """
    runs, tasks = (
        ", ".join(
            f'"{column.name}"'
            for column in Table(name, MetaData(), autoload_with=database).columns
            if column.name not in ("id", "run_id")
        )
        for name in ("dag_run", "task_instance")
    )
    of_run = "generate_series(1, :times) copy WHERE run_id = :run_id"
    database.execute(
        text(
            f"WITH runs AS (INSERT INTO dag_run (run_id, {runs}) "
            f"SELECT run_id || '-' || copy, {runs} FROM dag_run, {of_run}) "
            f"INSERT INTO task_instance (id, run_id, {tasks}) SELECT gen_random_uuid(), "
            f"run_id || '-' || copy, {tasks} FROM task_instance, {of_run}"
        ),
        {"times": times, "run_id": run_id},
    )


@pytest.fixture
def waiting(api: Any, service: Any, cluster: Any) -> Iterator[str]:
    """A run of ``deploy_service`` that waits for an approval in ``prod``, and its copies."""
    asked = service("plain-service")
    asked.manifest["environment"] = "prod"
    run_id = start(api, asked)
    with metadata() as database:
        try:
            copy(database, run_id, WAITING)
            yield run_id
        finally:
            database.execute(text(f"DELETE FROM dag_run WHERE run_id LIKE '{run_id}-%'"))
            answer(api, run_id, "Reject")
            remove(cluster, SETTINGS.approved_namespace, asked.object_name)


def test_another_deployment_starts_at_once_while_a_hundred_runs_wait(api, service, waiting):
    states = "dags/deploy_service/dagRuns/~/taskInstances?task_id=approve&state=awaiting_input"
    assert api.get(states)["total_entries"] > WAITING
    outcome = service("plain-service").deploy()
    assert outcome.ok, outcome.error
    run = api.get(f"dags/deploy_service/dagRuns/{outcome.run_id}")
    began = [datetime.fromisoformat(run[moment]) for moment in ("queued_at", "start_date")]
    assert (began[1] - began[0]).total_seconds() < START_SECONDS
    assert api.get(states)["total_entries"] > WAITING
