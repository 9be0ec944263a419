"""Actions on runs in the name of a user: start, cancel, answer.

The functions import Airflow's routes when they run, because the import takes more than a second.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from airflow.api_fastapi.common.dagbag import create_dag_bag
from airflow.models.dagrun import DagRun
from airflow.models.log import Log
from fastapi import Request
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from manifest_engine.api.airflow_internals import rows
from manifest_engine.domain.core.printable import sentence
from manifest_engine.domain.record import audit, deployment


@cache
def _dag_bag() -> Any:
    return create_dag_bag()


def start(
    dag_id: str,
    run_id: str,
    conf: dict[str, Any],
    *,
    user: Any,
    session: Session,
    request: Request,
) -> dict[str, Any] | None:
    """Start a run, unless a run with this id exists.

    :return: the conf of the existing run; None if the run was started.
    """
    from airflow.api_fastapi.core_api.datamodels.dag_run import TriggerDAGRunPostBody
    from airflow.api_fastapi.core_api.routes.public.dag_run import trigger_dag_run

    if (known := conf_of(dag_id, run_id, session)) is not None:
        return known
    body = TriggerDAGRunPostBody(dag_run_id=run_id, logical_date=None, conf=conf)
    try:
        trigger_dag_run(dag_id, body, _dag_bag(), user, session, request)
        session.flush()
    except IntegrityError:  # a parallel request has started the run
        session.rollback()
        return conf_of(dag_id, run_id, session) or {}
    _log(audit.ACTIONS[dag_id], dag_id, run_id, user, session)
    return None


def announce(dag_id: str, run_id: str, conf: dict[str, Any], user: str, session: Session) -> bool:
    """Start a run in the name of a webhook, which has no Airflow user.

    :return: False if the run exists already.
    """
    from airflow.api.common.trigger_dag import trigger_dag
    from airflow.exceptions import DagRunAlreadyExists
    from airflow.utils.types import DagRunTriggeredByType

    if conf_of(dag_id, run_id, session) is not None:
        return False
    try:
        trigger_dag(
            dag_id,
            triggered_by=DagRunTriggeredByType.REST_API,
            triggering_user_name=user,
            run_id=run_id,
            conf=conf,
            session=session,
        )
        session.flush()
    except (DagRunAlreadyExists, IntegrityError):  # a parallel request has started the run
        session.rollback()
        return False
    return True


def password(conn_id: str) -> str:
    """The password of a Connection; empty if the Connection or its password is missing."""
    from airflow.exceptions import AirflowNotFoundException
    from airflow.models.connection import Connection

    try:
        return Connection.get_connection_from_secrets(conn_id).password or ""
    except AirflowNotFoundException:
        return ""


def conf_of(dag_id: str, run_id: str, session: Session) -> dict[str, Any] | None:
    """The conf of a run; None if there is no such run."""
    found = session.execute(
        select(DagRun.conf).where(DagRun.dag_id == dag_id, DagRun.run_id == run_id)
    ).first()
    return None if found is None else (found[0] or {})


def cancel(run_id: str, user: Any, session: Session) -> None:
    """Mark a run as failed. Airflow ends its running tasks, and a running rollout rolls back."""
    from airflow.api_fastapi.core_api.datamodels.dag_run import DAGRunPatchBody
    from airflow.api_fastapi.core_api.routes.public.dag_run import patch_dag_run

    dag_id = rows.dag_of(run_id) or deployment.DEPLOY
    note = f"{deployment.CANCELLED_NOTE}{sentence(user.get_name())}."
    body = DAGRunPatchBody.model_validate({"state": "failed", "note": note})
    patch_dag_run(dag_id, run_id, body, session, _dag_bag(), user, None)
    _log("cancel", dag_id, run_id, user, session)


def answer(run_id: str, option: str, user: Any, session: Session) -> None:
    """Approve or reject a run.

    :param option: ``Approve`` or ``Reject``.
    :raises HTTPException: 403 if the user is not an approver, 404 if the run asks for no approval,
        409 if somebody has answered.
    """
    from airflow.api_fastapi.core_api.datamodels.hitl import UpdateHITLDetailPayload
    from airflow.api_fastapi.core_api.routes.public.hitl import update_hitl_detail

    dag_id = rows.dag_of(run_id) or deployment.DEPLOY
    payload = UpdateHITLDetailPayload(chosen_options=[option])
    update_hitl_detail(dag_id, run_id, "approve", payload, user, session)
    _log(option.lower(), dag_id, run_id, user, session)


def _log(event: str, dag_id: str, run_id: str, user: Any, session: Session) -> None:
    """Add an entry to Airflow's audit log."""
    session.add(
        Log(f"manifest_engine_{event}", owner=user.get_name(), dag_id=dag_id, run_id=run_id)
    )
