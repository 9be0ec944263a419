"""The page of one service: the release in each environment, the history, and the actions."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response

from manifest_engine.api import airflow_internals as airflow
from manifest_engine.api import catalog, packages, pods
from manifest_engine.api.airflow_internals import GetUserDep
from manifest_engine.api.pages import charts, templates
from manifest_engine.api.problem import Refused

router = APIRouter(prefix="/services/{component}/{service}")

ROWS_MAX = 20
CHART_MAX = 50
"""Maximum number of deployments in the chart."""
PHASES = {
    "Build": ("validate", "download_artifact", "build_image", "push_image"),
    "Smoke test": ("smoke_test",),
    "Roll out": ("apply_deployment",),
    "Publish and watch": ("publish_route", "watch_release"),
}
"""Parts of a bar in the chart: the steps until the service is live, except the approval."""

Name = Annotated[str, Path(max_length=63)]
Id = Annotated[str, Query(max_length=250)]


@router.get("", dependencies=[airflow.MAY_READ_RUNS])
def page(component: Name, service: Name, request: Request, user: GetUserDep) -> Response:
    """The page."""
    facts = _facts(component, service, user)
    whole = catalog.list_history(component, service, None, CHART_MAX)
    shown, more = whole["items"][:ROWS_MAX], whole["total"] > ROWS_MAX
    history = {"items": shown, "next": shown[-1]["id"] if more else None}
    facts |= {"history": history, "environment": "", "continued": False}
    facts |= {"found_chart": _chart(whole["items"]), "phases": list(PHASES)}
    return templates.render(request, "service.html", facts)


@router.get("/live", dependencies=[airflow.MAY_READ_RUNS])
def live(component: Name, service: Name, request: Request, user: GetUserDep) -> Response:
    """The part with the releases, which the page loads again."""
    return templates.render(request, "service_live.html", _facts(component, service, user))


@router.get("/pods", dependencies=[airflow.MAY_READ_RUNS, airflow.MAY_READ_SERVICE_LOGS])
def live_pods(component: Name, service: Name, request: Request, seen: Id = "") -> Response:
    """The part with the pods and the last log lines, which the page loads again.

    :param seen: version of the part on the page. If nothing has changed, the answer is empty, so
        selected text stays selected.
    """
    found = pods.read_pods(component, service)
    minute = datetime.now(UTC).strftime("%H:%M")  # the shown ages are as old
    mark = hashlib.sha256(json.dumps([minute, found]).encode()).hexdigest()[:16]
    if mark == seen:
        return Response(status_code=204)
    facts = {"component": component, "service": service, "found": found, "seen": mark}
    return templates.render(request, "service_pods.html", facts)


@router.get("/history", dependencies=[airflow.MAY_READ_RUNS])
def history(
    component: Name, service: Name, request: Request, environment: Id = "", before: Id = ""
) -> Response:
    """A part of the history.

    :param before: id of the last deployment on the page.
    """
    facts = {"component": component, "service": service}
    facts |= _history(component, service, environment, before)
    return templates.render(request, "service_history.html", facts)


@router.get("/difference", dependencies=[airflow.MAY_READ_RUNS])
def difference(
    component: Name,
    service: Name,
    request: Request,
    before: Annotated[str, Query(alias="from", max_length=250)] = "",
    after: Annotated[str, Query(alias="to", max_length=250)] = "",
) -> Response:
    """The part with the differences between two deployments."""
    found = catalog.read_difference(component, service, before, after) if before and after else None
    if found is None:
        raise Refused(422, "Choose two deployments of this service, one in each column.")
    two = found["from"], found["to"]
    images = packages.compare(component, service, *two) if found["sameImage"] is False else None
    return templates.render(request, "difference.html", {"found": found, "images": images})


def _facts(component: str, service: str, user: Any) -> dict[str, Any]:
    found = catalog.read_service(component, service)
    if found is None:
        raise Refused(404, f"No environment has or had the service {component}/{service}.")
    for item in found["environments"]:
        item["allowed"] = catalog.allowed(item["environment"], user)
    return {"tab": "Services", "component": component, "service": service, "found": found}


def _history(component: str, service: str, environment: str, before: str) -> dict[str, Any]:
    try:
        found = catalog.list_history(
            component, service, environment or None, ROWS_MAX, before or None
        )
    except ValueError as error:
        raise Refused(422, str(error)) from error
    return {"history": found, "environment": environment, "continued": bool(before)}


def _chart(history: list[dict[str, Any]]) -> dict[str, Any]:
    """Bars with the seconds of each phase, for the successful deployments; the oldest first.

    :param history: the last deployments, the newest first.
    """
    rows = []
    for made in reversed(history):
        if made["state"] == "live" and made["action"] in ("deploy", "rebuild"):
            seconds = {step["name"]: step["seconds"] or 0 for step in made["steps"]}
            parts = [sum(seconds.get(name, 0) for name in names) for names in PHASES.values()]
            rows.append({"made": made, "parts": parts, "total": sum(parts)})
    bars = [
        charts.Bar(f"{row['made']['version']}: {templates.seconds(row['total'])}", row["parts"])
        for row in rows
    ]
    return charts.stacked(bars) | {"rows": rows}
