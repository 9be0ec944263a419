"""How deployments went: per day, failures by step, times, approvals that wait, the last night."""

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

RUNS_MAX = 2_000
"""Runs whose steps are read for the figures, the newest of the period."""
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
    unfinished = [run.run_id for run in ordered if not run.has_ended][:_UNFINISHED_MAX]
    recent = [run.run_id for run in ordered[:_RECENT]]
    found = {
        run_id: deployment.summary(facts)
        for run_id, facts in airflow.facts([*unfinished, *recent]).items()
    }
    asks = [found[run_id] for run_id in unfinished if run_id in found]
    table = catalog.list_services(limit=500)["items"]
    facts: dict[str, Any] = {
        "tab": "Overview",
        "days": days,
        "report": report,
        "chart": _chart(report),
        "measured": min(len(counted), RUNS_MAX),
        "counted": len(counted),
        "waiting": [made for made in asks if made["state"] == "waiting for approval"],
        "recent": [found[run_id] for run_id in recent if run_id in found],
        "night": airflow.last_night(),
        "outdated": [item for item in table if item["baseOutdated"]],
    }
    return templates.render(request, "overview.html", facts)


def _chart(report: statistics.Report) -> dict[str, Any]:
    return charts.stacked(
        charts.Bar(f"{day:%Y-%m-%d}: {good} succeeded, {bad} failed", (good, bad))
        for day, good, bad in report.days
    )
