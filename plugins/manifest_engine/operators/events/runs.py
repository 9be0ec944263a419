"""The asset whose events stand for runs to report, and Airflow's record of such a run.

The listener ``api/listeners/run_listener.py`` records the end of a run. The step before an approval
records the wait.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import Asset, AssetAlias

from manifest_engine.domain.environment import environments
from manifest_engine.domain.events import facts as run_facts
from manifest_engine.domain.record import audit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow.sdk import Context

    from manifest_engine.domain.environment.environment import Environment

RUNS = Asset(name=run_facts.ASSET_NAME, uri=run_facts.ASSET_URI)
WAITS = AssetAlias(name="datafactory-waits")
"""An alias, because a task with an asset as outlet would always create an event."""
_URL = "http://localhost:8080"
"""Airflow's default."""
_NOT_FOUND = 404


def outlets(configured: Mapping[str, Environment]) -> list[AssetAlias]:
    """The outlets of a step before an approval; empty if no receiver is configured."""
    return [WAITS] if any(item.tells and item.approval for item in configured.values()) else []


def record_wait(step: Any, context: Context, environment_name: str) -> None:
    """Record that the run waits for approval after this step."""
    if WAITS not in step.outlets:
        return
    environment = environments.load().get(environment_name)
    if environment is not None and environment.tells:
        run = context["dag_run"]
        extra = {"dag": run.dag_id, "run": run.run_id, "waits": True}
        context["outlet_events"][WAITS].add(RUNS, extra=extra)


def read(dag_id: str, run_id: str, message: str) -> run_facts.RunFacts | None:
    """Airflow's record of a run; None if the run was deleted.

    Tasks cannot use the database, so this function uses undocumented parts of the Task SDK.
    """
    from airflow.sdk.configuration import conf
    from airflow.sdk.exceptions import AirflowRuntimeError
    from airflow.sdk.execution_time.comms import GetDagRun
    from airflow.sdk.execution_time.task_runner import SUPERVISOR_COMMS, RuntimeTaskInstance

    try:
        run: Any = SUPERVISOR_COMMS.send(GetDagRun(dag_id=dag_id, run_id=run_id))
    except AirflowRuntimeError as error:
        if (error.error.detail or {}).get("status_code") == _NOT_FOUND:
            return None
        raise
    crumbs = [
        item
        for item in RuntimeTaskInstance.get_task_breadcrumbs(dag_id=dag_id, run_id=run_id)
        if item["map_index"] == audit.UNMAPPED
    ]
    states = {item["task_id"]: str(item["state"]) for item in crumbs}
    return run_facts.RunFacts(
        run=audit.Run(
            dag_id=dag_id,
            run_id=run_id,
            state=str(getattr(run.state, "value", run.state)),
            conf=run.conf or {},
            triggered_by=_TRIGGERED_BY.get(str(getattr(run.run_type, "value", run.run_type))),
            user=run.triggering_user_name,
            requested_at=run.run_after,
            started_at=run.start_date,
            ended_at=run.end_date,
        ),
        note=run.note or "",
        states=states,
        seconds={item["task_id"]: item["duration"] for item in crumbs if item["duration"]},
        xcoms=_xcoms(dag_id, run_id, states),
        message=message,
        base_url=str(conf.get("api", "base_url", fallback=_URL)).rstrip("/"),
    )


_TRIGGERED_BY = {"operator_triggered": "operator", "scheduled": "timetable"}
"""How a run was started, by the type of the run; tasks do not get more detail."""


def _xcoms(dag_id: str, run_id: str, states: Mapping[str, str]) -> dict[tuple[str, str], Any]:
    from airflow.sdk.execution_time.xcom import XCom

    failed = {
        (task, key)
        for task, state in states.items()
        if state == "failed"
        for key in run_facts.FAILURE_KEYS
    }
    wanted = failed | {place for place in run_facts.PLACES if states.get(place[0]) == "success"}
    found = {
        (task, key): XCom.get_one(
            key=key, dag_id=dag_id, task_id=task, run_id=run_id, map_index=audit.UNMAPPED
        )
        for task, key in sorted(wanted)
    }
    return {place: value for place, value in found.items() if value is not None}
