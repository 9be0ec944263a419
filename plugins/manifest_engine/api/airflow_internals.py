"""The one module of the API that touches Airflow: users, rights, runs and logs.

Each function calls what Airflow's own API calls, so Airflow's rights, listeners and audit of runs
apply. Runs are read as columns: for whole rows, Airflow joins the run and its conf to each row.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.common.dagbag import create_dag_bag
from airflow.api_fastapi.common.db.common import SessionDep
from airflow.api_fastapi.core_api.datamodels.dag_run import DAGRunPatchBody, TriggerDAGRunPostBody
from airflow.api_fastapi.core_api.datamodels.hitl import UpdateHITLDetailPayload
from airflow.api_fastapi.core_api.routes.public.dag_run import patch_dag_run, trigger_dag_run
from airflow.api_fastapi.core_api.routes.public.hitl import update_hitl_detail
from airflow.api_fastapi.core_api.security import GetUserDep, get_user, requires_access_dag
from airflow.models.dagrun import DagRun
from airflow.models.log import Log
from airflow.models.taskinstance import TaskInstance
from airflow.models.xcom import XComModel
from airflow.settings import NonScopedSession
from airflow.utils.log.log_reader import TaskLogReader
from fastapi import Depends, Request
from sqlalchemy import Text, cast, func, select, tuple_
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, joinedload

from manifest_engine.domain.core.printable import sentence
from manifest_engine.domain.record import deployment
from manifest_engine.domain.record.audit import Run

__all__ = ["GetUserDep", "SessionDep", "get_user"]

DAG_ID = "deploy_service"
_XCOM_MAX = 256 * 1024
"""Limit for an XCom as JSON, in characters."""


def _may(method: Any, entity: DagAccessEntity | None) -> Any:
    return Depends(requires_access_dag(method, entity, DAG_ID))


MAY_DEPLOY = _may("POST", DagAccessEntity.RUN)
MAY_READ = _may("GET", DagAccessEntity.RUN)
MAY_READ_LOGS = _may("GET", DagAccessEntity.TASK_LOGS)
MAY_CANCEL = _may("PUT", DagAccessEntity.RUN)
MAY_ANSWER = _may("PUT", DagAccessEntity.HITL_DETAIL)
MAY_SEE = _may("GET", None)
"""Dependencies of a route: Airflow's permission for what the route does with ``deploy_service``."""


@cache
def _dag_bag() -> Any:
    return create_dag_bag()


def start(
    run_id: str, conf: dict[str, Any], user: Any, session: Session, request: Request
) -> dict[str, Any] | None:
    """Start a deployment.

    :return: None, or the conf of the run that has this id already.
    """
    if (known := conf_of(run_id, session)) is not None:
        return known
    body = TriggerDAGRunPostBody(dag_run_id=run_id, logical_date=None, conf=conf)
    try:
        trigger_dag_run(DAG_ID, body, _dag_bag(), user, session, request)
        session.flush()
    except IntegrityError:  # the same request at the same time
        session.rollback()
        return conf_of(run_id, session) or {}
    _log("deploy", run_id, user, session)
    return None


def conf_of(run_id: str, session: Session) -> dict[str, Any] | None:
    """The conf of a run; None without such a run."""
    found = session.execute(
        select(DagRun.conf).where(DagRun.dag_id == DAG_ID, DagRun.run_id == run_id)
    ).first()
    return None if found is None else (found[0] or {})


def cancel(run_id: str, user: Any, session: Session) -> None:
    """End a run. Running tasks are ended, and a rollout under way is taken back by its step."""
    note = f"{deployment.CANCELLED_NOTE}{sentence(user.get_name())}."
    body = DAGRunPatchBody.model_validate({"state": "failed", "note": note})
    patch_dag_run(DAG_ID, run_id, body, session, _dag_bag(), user, None)
    _log("cancel", run_id, user, session)


def answer(run_id: str, option: str, user: Any, session: Session) -> None:
    """Answer the approval of a run.

    :param option: ``Approve`` or ``Reject``.
    :raises HTTPException: 403 for a user who is not asked, 404 without a question, 409 when it is
        answered already.
    """
    payload = UpdateHITLDetailPayload(chosen_options=[option])
    update_hitl_detail(DAG_ID, run_id, "approve", payload, user, session)
    _log(option.lower(), run_id, user, session)


def facts(run_ids: Iterable[str]) -> dict[str, deployment.Facts]:
    """The rows of several runs, by run id, in three queries on indexes."""
    ids = sorted(set(run_ids))
    with NonScopedSession() as session:
        runs = {
            row.run_id: row
            for row in session.execute(
                select(
                    *(DagRun.run_id, DagRun.state, DagRun.conf, DagRun.triggered_by),
                    *(DagRun.triggering_user_name, DagRun.run_after),
                    *(DagRun.start_date, DagRun.end_date, _note().label("note")),
                ).where(DagRun.dag_id == DAG_ID, DagRun.run_id.in_(ids))
            )
        }
        tasks: dict[str, list[deployment.Task]] = {run_id: [] for run_id in runs}
        columns = (TaskInstance.run_id, TaskInstance.task_id, TaskInstance.state)
        times = (TaskInstance.try_number, TaskInstance.start_date, TaskInstance.end_date)
        for run_id, *row in session.execute(
            select(*columns, *times).where(
                TaskInstance.dag_id == DAG_ID, TaskInstance.run_id.in_(ids)
            )
        ):
            tasks[run_id].append(deployment.Task(*row))
        xcoms: dict[str, dict[tuple[str, str], Any]] = {run_id: {} for run_id in runs}
        for run_id, task, key, value in session.execute(
            select(XComModel.run_id, XComModel.task_id, XComModel.key, XComModel.value).where(
                XComModel.dag_id == DAG_ID,
                XComModel.run_id.in_(ids),
                tuple_(XComModel.task_id, XComModel.key).in_(sorted(deployment.PLACES)),
                func.length(cast(XComModel.value, Text)) <= _XCOM_MAX,
            )
        ):
            xcoms[run_id][task, key] = value
    return {
        run_id: deployment.Facts(_run(row), row.note or "", tasks[run_id], xcoms[run_id])
        for run_id, row in runs.items()
    }


def log_lines(run_id: str, step: str) -> Iterator[str] | None:
    """The log of a step's last try, line by line, as JSON; None when the step has not begun."""
    with NonScopedSession() as session:
        found = session.scalar(
            select(TaskInstance)
            .where(
                TaskInstance.dag_id == DAG_ID,
                TaskInstance.run_id == run_id,
                TaskInstance.task_id == step,
            )
            .options(joinedload(TaskInstance.dag_run))
        )
        if found is None or not found.try_number:
            return None
        session.expunge_all()
    return TaskLogReader().read_log_stream(found, found.try_number, {})


def _note() -> Any:
    from airflow.models.dagrun import DagRunNote

    return select(DagRunNote.content).where(DagRunNote.dag_run_id == DagRun.id).scalar_subquery()


def _run(row: Any) -> Run:
    return Run(
        dag_id=DAG_ID,
        run_id=row.run_id,
        state=str(getattr(row.state, "value", row.state)),
        conf=row.conf or {},
        triggered_by=getattr(row.triggered_by, "value", row.triggered_by),
        user=row.triggering_user_name,
        requested_at=row.run_after,
        started_at=row.start_date,
        ended_at=row.end_date,
    )


def _log(event: str, run_id: str, user: Any, session: Session) -> None:
    """Add an entry to Airflow's audit log."""
    session.add(
        Log(f"manifest_engine_{event}", owner=user.get_name(), dag_id=DAG_ID, run_id=run_id)
    )
