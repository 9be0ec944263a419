"""The page of one deployment: its steps live, its log, and its result."""

from __future__ import annotations

from collections import deque
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response

from manifest_engine.api import airflow_internals as airflow
from manifest_engine.api import deployments
from manifest_engine.api.pages import templates
from manifest_engine.domain.record import audit, deployment

router = APIRouter(prefix="/deployments")

LINES_MAX = 300
"""Maximum number of log lines on the page, which links to the complete log."""
_BEGUN = ("running", "retrying", "succeeded", "failed")
_DAGS = {action: dag for dag, action in audit.ACTIONS.items()} | {audit.REBUILD: deployment.DEPLOY}

Id = Annotated[str, Path(max_length=250)]
Step = Annotated[str, Query(max_length=250)]


@router.get("/{run_id}", dependencies=[airflow.MAY_READ])
def page(run_id: Id, request: Request) -> Response:
    """The page."""
    return templates.render(request, "deployment.html", _facts(run_id))


@router.get("/{run_id}/state", dependencies=[airflow.MAY_READ])
def state(run_id: Id, request: Request) -> Response:
    """The part of the page that changes. The page loads it again until the deployment has ended."""
    return templates.render(request, "deployment_state.html", _facts(run_id))


@router.get("/{run_id}/log", dependencies=[airflow.MAY_READ_LOGS])
def log(run_id: Id, request: Request, step: Step = "") -> Response:
    """The last lines of a step's log.

    :param step: name of the step; empty for the step that failed, runs or ran last.
    """
    made = deployments.read(run_id)
    name = step or _latest(made)
    found = airflow.log_lines(run_id, name) if name else None
    lines = deque(deployments.log_text(found), LINES_MAX) if found else ()
    facts: dict[str, Any] = {"made": made, "followed": step, "step": name}
    facts["lines"] = [_short(line) for line in lines]
    return templates.render(request, "log.html", facts | _links(made, name))


def _facts(run_id: str) -> dict[str, Any]:
    made = deployments.read(run_id)
    asks = made["state"] == "waiting for approval"
    question = airflow.question(run_id) if asks else None
    return {"made": made, "title": _title(made), "question": question, **_links(made)}


def _links(made: dict[str, Any], step: str = "") -> dict[str, Any]:
    """Links to Airflow's pages."""
    run = f"/dags/{_DAGS[made.get('action', 'deploy')]}/runs/{made['id']}"
    return {"airflow_run": run, "airflow_log": f"{run}/tasks/{step}"}


def _title(made: dict[str, Any]) -> str:
    """The title of the browser's tab. The state comes first, because tabs cut long titles."""
    what = " ".join(filter(None, (made["serviceName"], made["version"])))
    found = f"{made['state']} · {what or 'deployment'}"
    return f"{found} → {made['environment']}" if made["environment"] else found


def _short(line: str) -> str:
    """A line of the log without the date, and without the level ``info``."""
    return line[11:].replace(" info    ", "  ", 1) if line[10:11] == "T" else line


def _latest(made: dict[str, Any]) -> str:
    begun = [step for step in made["steps"] if step["state"] in _BEGUN]
    for word in ("failed", "running", "retrying"):
        for step in begun:
            if step["state"] == word:
                return str(step["name"])
    before_the_end = [step for step in begun if step["name"] != deployment.STEPS[-1]] or begun
    return str(before_the_end[-1]["name"]) if before_the_end else ""
