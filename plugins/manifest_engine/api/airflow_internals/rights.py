"""Airflow's permissions, as dependencies of routes."""

from __future__ import annotations

from typing import Any

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity, DagDetails
from airflow.api_fastapi.core_api.security import GetUserDep, requires_access_dag
from airflow.models.dag import DagModel
from fastapi import Depends, Request
from starlette.concurrency import run_in_threadpool

from manifest_engine.api.airflow_internals import rows
from manifest_engine.domain.record.deployment import DEPLOY


def _may(method: Any, entity: DagAccessEntity | None, dag_id: str = DEPLOY) -> Any:
    return Depends(requires_access_dag(method, entity, dag_id))


def _may_with_run(method: Any, entity: DagAccessEntity) -> Any:
    """A permission on the DAG of the run in the path, or on ``deploy_service`` if no DAG has it."""

    async def check(request: Request, user: GetUserDep) -> None:
        dag_id = await run_in_threadpool(rows.dag_of, request.path_params["run_id"])
        required = requires_access_dag(method, entity, dag_id or DEPLOY)
        await run_in_threadpool(required, request, user)

    return Depends(check)


MAY_DEPLOY = _may("POST", DagAccessEntity.RUN)
MAY_ROLL_BACK = _may("POST", DagAccessEntity.RUN, "rollback_service")
MAY_RESTART = _may("POST", DagAccessEntity.RUN, "restart_service")
MAY_REMOVE = _may("POST", DagAccessEntity.RUN, "remove_service")
MAY_READ_RUNS = _may("GET", DagAccessEntity.RUN)
MAY_SEE = _may("GET", None)
MAY_READ_SERVICE_LOGS = _may("GET", DagAccessEntity.TASK_LOGS)
"""Dependencies of routes: each requires an Airflow permission on one DAG."""
MAY_READ = _may_with_run("GET", DagAccessEntity.RUN)
MAY_READ_LOGS = _may_with_run("GET", DagAccessEntity.TASK_LOGS)
MAY_CANCEL = _may_with_run("PUT", DagAccessEntity.RUN)
MAY_ANSWER = _may_with_run("PUT", DagAccessEntity.HITL_DETAIL)


def may_start(dag_id: str, user: Any) -> bool:
    """Whether the user may start a run of the DAG."""
    details = DagDetails(id=dag_id, team_name=DagModel.get_team_name(dag_id))
    return bool(
        get_auth_manager().is_authorized_dag(
            method="POST", access_entity=DagAccessEntity.RUN, details=details, user=user
        )
    )
