"""Writes the audit file: a JSON line when a run of our DAGs begins and when it ends.

The listener runs where Airflow changes a run's state: in the scheduler, and in the API server when
somebody marks a run by hand. The listener must not delay or break either process. So each error is
logged only, and the database is read in a separate session, with limits for the number and the size
of values.
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
"""Limit for an XCom as JSON, in characters: a release contains the manifest, up to 64 KiB, and the
settings of its environment."""
_log = logging.getLogger(__name__)


@hookimpl
def on_dag_run_running(dag_run: DagRun, msg: str) -> None:
    """Record the start of a run, and set the run's note."""
    _record(dag_run, msg)
    _describe(dag_run)


@hookimpl
def on_dag_run_success(dag_run: DagRun, msg: str) -> None:
    """Record a successful run."""
    _record(dag_run, msg)


@hookimpl
def on_dag_run_failed(dag_run: DagRun, msg: str) -> None:
    """Record a failed run."""
    _record(dag_run, msg)


def path() -> Path:
    """The audit file: ``MANIFEST_ENGINE_AUDIT_LOG``, else a file in Airflow's log folder."""
    given = os.environ.get(PATH_VARIABLE)
    home = Path(os.environ.get("AIRFLOW_HOME", "~/airflow")).expanduser()
    return Path(given) if given else home / "logs/manifest-engine-audit.jsonl"


def append(entry: dict[str, Any]) -> None:
    """Append one line by one write, so that several processes can append at the same time."""
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


def _describe(dag_run: DagRun) -> None:
    """Name the service in the run's note, which Airflow shows in its list of runs.

    The scheduler holds a lock on the run's row, so the scheduler's own session writes the note.
    """
    try:
        from manifest_engine.domain.record import deployment

        if dag_run.dag_id in deployment.DAGS and not dag_run.note:
            dag_run.note = deployment.note(dag_run.dag_id, dag_run.conf or {})
    except Exception:
        _log.exception("The note of the run %s was not set", getattr(dag_run, "run_id", "?"))


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
    """The XComs of an entry, and the task that failed first."""
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
            # Unmapped tasks first: the task that summarises a mapped task reports all failures.
            .order_by(TaskInstance.map_index != audit.UNMAPPED, TaskInstance.end_date)
            .limit(1)
        ).first()
        failed, index = first or (None, audit.UNMAPPED)
        # Select columns: for whole rows, Airflow joins the run and its conf to each row.
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
