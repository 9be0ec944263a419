"""Writes the audit: a JSON line when a run of ours begins and when it ends.

It runs where Airflow changes a run's state: in the scheduler, and in the API server when somebody
marks a run by hand. Nothing here may hold either of them up or break it, so every error ends in the
log, and what is read from the database is read by a session of its own: a bounded number of values,
of a bounded size.
"""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.listeners import hookimpl

if TYPE_CHECKING:
    from airflow.models.dagrun import DagRun

PATH_VARIABLE = "MANIFEST_ENGINE_AUDIT_LOG"
_XCOM_MAX = 256 * 1024
"""Characters of an XCom that is read, as JSON: a release has the manifest in it, which may have
64 KiB, and the settings of its environment."""
_log = logging.getLogger(__name__)


@hookimpl
def on_dag_run_running(dag_run: DagRun, msg: str) -> None:
    """A run begins."""
    _record(dag_run, msg)


@hookimpl
def on_dag_run_success(dag_run: DagRun, msg: str) -> None:
    """A run has ended well."""
    _record(dag_run, msg)


@hookimpl
def on_dag_run_failed(dag_run: DagRun, msg: str) -> None:
    """A run has failed."""
    _record(dag_run, msg)


def path() -> Path:
    """The file: ``MANIFEST_ENGINE_AUDIT_LOG``, else one among Airflow's logs."""
    given = os.environ.get(PATH_VARIABLE)
    home = Path(os.environ.get("AIRFLOW_HOME", "~/airflow")).expanduser()
    return Path(given) if given else home / "logs/manifest-engine-audit.jsonl"


def append(entry: dict[str, Any]) -> None:
    """One line by one write to the file's end, so that several processes may do it at once."""
    text = json.dumps(entry, ensure_ascii=False, allow_nan=False) + "\n"
    where = path()
    where.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(where, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o640)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)


def _record(dag_run: DagRun, message: str) -> None:
    try:
        from manifest_engine.domain.record import audit

        if dag_run.dag_id not in audit.ACTIONS:
            return
        run = _run(dag_run)
        xcoms, failed = _found(dag_run) if run.state != "running" else ({}, None)
        append(audit.entry(run, xcoms, failed=failed, message=message))
    except Exception:
        _log.exception("The audit misses an entry of %s", getattr(dag_run, "run_id", "?"))


def _run(dag_run: DagRun) -> Any:
    from manifest_engine.domain.record import audit

    return audit.Run(
        dag_id=dag_run.dag_id,
        run_id=dag_run.run_id,
        state=str(getattr(dag_run.state, "value", dag_run.state)),
        conf=dag_run.conf or {},
        triggered_by=getattr(dag_run.triggered_by, "value", None),
        user=dag_run.triggering_user_name,
        requested_at=dag_run.run_after,
        started_at=dag_run.start_date,
        ended_at=dag_run.end_date,
    )


def _found(dag_run: DagRun) -> tuple[dict[tuple[str, str], Any], str | None]:
    """The XComs that tell the story, and the task that failed first."""
    from airflow.models.taskinstance import TaskInstance
    from airflow.models.xcom import XComModel
    from airflow.settings import NonScopedSession
    from sqlalchemy import Text, and_, cast, func, or_, select, tuple_

    from manifest_engine.domain.record import audit

    with NonScopedSession() as session:
        first = session.execute(
            select(TaskInstance.task_id, TaskInstance.map_index)
            .where(
                TaskInstance.dag_id == dag_run.dag_id,
                TaskInstance.run_id == dag_run.run_id,
                TaskInstance.state == "failed",
            )
            # One of a mapped task stands for itself; the task that sums them up for all.
            .order_by(TaskInstance.map_index != audit.UNMAPPED, TaskInstance.end_date)
            .limit(1)
        ).first()
        failed, index = first or (None, audit.UNMAPPED)
        # The columns alone: with the whole row Airflow joins the run, and its conf to each row.
        rows = session.execute(
            select(XComModel.task_id, XComModel.key, XComModel.value).where(
                XComModel.dag_id == dag_run.dag_id,
                XComModel.run_id == dag_run.run_id,
                or_(
                    and_(
                        tuple_(XComModel.task_id, XComModel.key).in_(sorted(audit.PLACES)),
                        XComModel.map_index == audit.UNMAPPED,
                    ),
                    and_(
                        XComModel.task_id == failed,
                        XComModel.key == audit.ERROR_KEY,
                        XComModel.map_index == index,
                    ),
                ),
                func.length(cast(XComModel.value, Text)) <= _XCOM_MAX,
            )
        )
        xcoms = {(task, key): value for task, key, value in rows}
    return xcoms, failed
