"""The page with statistics of deployments, waiting approvals and the last nightly run."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from manifest_engine.api import airflow_internals as airflow
from manifest_engine.api import catalog
from manifest_engine.api.pages import charts, templates
from manifest_engine.domain.record import deployment, statistics

router = APIRouter()

RUNS_MAX = 1_000
"""Maximum number of runs whose steps are read for the statistics; the newest runs count."""
_RECENT = 15
_UNFINISHED_MAX = 100


@router.get("/overview", dependencies=[airflow.MAY_READ_RUNS])
def page(request: Request, days: Annotated[int, Query(ge=1, le=90)] = 30) -> Response:
    """The page."""
    now = datetime.now(UTC)
    catalog.runs.refresh()
    runs = catalog.runs.all_runs()
    ordered = statistics.newest(runs.values())
    since = now - timedelta(days=days)
    counted = [run for run in ordered if run.requested_at and run.requested_at >= since]
    ends = airflow.step_ends(run.run_id for run in counted[:RUNS_MAX])
    report = statistics.report(runs, ends, now.date(), days)
    recent = [run.run_id for run in ordered[:_RECENT]]
    waiting = _waiting([run.run_id for run in ordered if not run.has_ended][:_UNFINISHED_MAX])
    found = {
        run_id: deployment.summary(facts)
        for run_id, facts in airflow.facts([*waiting, *recent]).items()
    }
    facts: dict[str, Any] = {
        "tab": "Overview",
        "days": days,
        "report": report,
        "chart": _chart(report),
        "measured": min(len(counted), RUNS_MAX),
        "counted": len(counted),
        "waiting": [found[run_id] for run_id in waiting if run_id in found],
        "recent": [found[run_id] for run_id in recent if run_id in found],
        "night": airflow.last_night(),
        "outdated": catalog.list_outdated(),
    }
    return templates.render(request, "overview.html", facts)


def _waiting(run_ids: list[str]) -> list[str]:
    """The runs that wait for approval."""
    found = airflow.facts(run_ids, deployment.ERRORS)
    return [
        run_id
        for run_id in run_ids
        if run_id in found and deployment.state(found[run_id]) == "waiting for approval"
    ]


def _chart(report: statistics.Report) -> dict[str, Any]:
    return charts.stacked(
        charts.Bar(f"{day:%Y-%m-%d}: {good} succeeded, {bad} failed", (good, bad))
        for day, good, bad in report.days
    )
