"""Reads what the pages show: ends of steps, requests for approval, and the last nightly run."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from airflow.models.dagrun import DagRun
from airflow.models.hitl import HITLDetail
from airflow.models.taskinstance import TaskInstance
from airflow.models.xcom import XComModel
from airflow.settings import NonScopedSession
from sqlalchemy import Text, cast, func, or_, select

from manifest_engine.domain.record import deployment
from manifest_engine.domain.record.statistics import StepEnd

_BLOCK = 500
"""Maximum number of runs in one query."""
_TABLE_MAX = 1024 * 1024
"""Limit for the table of a nightly run as JSON, in characters."""


def step_ends(run_ids: Iterable[str]) -> list[StepEnd]:
    """The failed steps of the runs, and their steps ``publish_route``."""
    ids = sorted(set(run_ids))
    columns = (TaskInstance.run_id, TaskInstance.task_id, TaskInstance.state, TaskInstance.end_date)
    found: list[StepEnd] = []
    with NonScopedSession() as session:
        for at in range(0, len(ids), _BLOCK):
            query = select(*columns).where(
                TaskInstance.dag_id.in_(deployment.DAGS),
                TaskInstance.run_id.in_(ids[at : at + _BLOCK]),
                or_(TaskInstance.state == "failed", TaskInstance.task_id == "publish_route"),
            )
            found += [StepEnd(*row) for row in session.execute(query)]
    return found


def question(run_id: str) -> dict[str, Any] | None:
    """A request for approval: ``subject``, ``body`` (Markdown), and ``asked``, the approvers."""
    with NonScopedSession() as session:
        found = session.execute(
            select(HITLDetail.subject, HITLDetail.body, HITLDetail.assignees)
            .join(TaskInstance, TaskInstance.id == HITLDetail.ti_id)
            .where(
                TaskInstance.dag_id.in_(deployment.DAGS),
                TaskInstance.run_id == run_id,
                TaskInstance.task_id == "approve",
            )
        ).first()
    if found is None:
        return None
    asked = [str(user.get("name", "")) for user in found.assignees or ()]
    return {"subject": found.subject, "body": found.body or "", "asked": asked}


def last_night() -> dict[str, Any] | None:
    """The newest nightly run: ``id``, ``state``, ``at``, and its ``rows``, failures first."""
    with NonScopedSession() as session:
        run = session.execute(
            select(DagRun.id, DagRun.run_id, DagRun.state, DagRun.run_after)
            .where(DagRun.dag_id == deployment.NIGHTLY)
            .order_by(DagRun.id.desc())
            .limit(1)
        ).first()
        if run is None:
            return None
        table = session.scalar(
            select(XComModel.value).where(
                XComModel.dag_run_id == run.id,
                XComModel.task_id == "summarise",
                XComModel.key == "table",
                func.length(cast(XComModel.value, Text)) <= _TABLE_MAX,
            )
        )
    shown = table if isinstance(table, dict) else {}
    state = str(getattr(run.state, "value", run.state))
    at = run.run_after.isoformat(timespec="milliseconds") if run.run_after else None
    return {"id": run.run_id, "state": state, "at": at, "rows": shown.get("rows", [])}
