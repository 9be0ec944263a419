"""The page of the audit, which lists who did what and when, and its export as a file."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response, StreamingResponse

from manifest_engine.api import airflow_internals as airflow
from manifest_engine.api import catalog
from manifest_engine.api.pages import templates
from manifest_engine.domain.record import audit, deployment, statistics

router = APIRouter()

ROWS_MAX = 50
EXPORT_MAX = 10_000
"""Maximum number of lines in an export; the file in docs/audit.md has all entries."""
_BLOCK = 200
COLUMNS = (
    *("requestedAt", "action", "requestedBy", "requestedFrom", "component", "serviceName"),
    *("version", "environment", "state", "approvedBy", "failedStep", "error", "artifact"),
    *("digest", "url", "startedAt", "endedAt", "id"),
)
"""Columns of an export: fields of a deployment, as docs/api.md describes them."""
_RISKY = ("=", "+", "-", "@", "\t", "\r")
"""First characters of a cell that a spreadsheet can execute. Source: OWASP, CSV Injection."""

Text = Annotated[str, Query(max_length=200)]


class Asked:
    """Filter of the entries; an empty text matches every entry."""

    def __init__(
        self,
        *,
        by: Text = "",
        action: Text = "",
        environment: Text = "",
        service: Text = "",
        state: Text = "",
    ) -> None:
        self.values = {"by": by, "action": action, "environment": environment}
        self.values |= {"service": service, "state": state}

    def run_ids(self) -> list[str]:
        """The ids of the runs that match the filter, the newest first."""
        catalog.runs.refresh()
        names = {"requested_by": "by", "service_name": "service"}
        wanted = {key: self.values[names.get(key, key)] for key in _FIELDS}
        found = statistics.newest(catalog.runs.all_runs().values(), **wanted)
        return [run.run_id for run in found]


_FIELDS = ("requested_by", "action", "environment", "service_name", "state")
AskedDep = Annotated[Asked, Depends()]


@router.get("/audit", dependencies=[airflow.MAY_READ_RUNS])
def page(
    request: Request, asked: AskedDep, skip: Annotated[int, Query(ge=0, le=100_000)] = 0
) -> Response:
    """The page, or only its table for htmx."""
    ids = asked.run_ids()
    facts: dict[str, Any] = {
        "tab": "Audit",
        "asked": asked.values,
        "actions": list(dict.fromkeys(audit.ACTIONS.values())),
        "environments": sorted({place.environment for place in catalog.runs.all_runs()} - {""}),
        "items": list(_summaries(ids[skip : skip + ROWS_MAX])),
        "total": len(ids),
        "skip": skip,
        "rows": ROWS_MAX,
    }
    name = "audit_table.html" if templates.is_part(request) else "audit.html"
    return templates.render(request, name, facts)


@router.get("/audit.{kind}", dependencies=[airflow.MAY_READ_RUNS])
def export(kind: Literal["csv", "ndjson"], asked: AskedDep) -> Response:
    """The entries as a file, up to 10,000 lines."""
    items = _summaries(asked.run_ids()[:EXPORT_MAX])
    media = {"csv": "text/csv; charset=utf-8", "ndjson": "application/x-ndjson"}[kind]
    lines = _csv(items) if kind == "csv" else _ndjson(items)
    headers = {"Content-Disposition": f'attachment; filename="audit.{kind}"'}
    return StreamingResponse(lines, media_type=media, headers=headers)


def _summaries(run_ids: list[str]) -> Iterator[dict[str, Any]]:
    for at in range(0, len(run_ids), _BLOCK):
        block = run_ids[at : at + _BLOCK]
        facts = airflow.facts(block)
        yield from (deployment.summary(facts[run_id]) for run_id in block if run_id in facts)


def _ndjson(items: Iterator[dict[str, Any]]) -> Iterator[str]:
    for made in items:
        yield json.dumps({key: made[key] for key in COLUMNS}, ensure_ascii=False) + "\n"


def _csv(items: Iterator[dict[str, Any]]) -> Iterator[str]:
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(COLUMNS)
    for made in items:
        writer.writerow([_cell(made[key]) for key in COLUMNS])
        yield buffer.getvalue()
        buffer.seek(0)
        buffer.truncate()
    yield buffer.getvalue()


def _cell(value: Any) -> str:
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(_RISKY) else text
