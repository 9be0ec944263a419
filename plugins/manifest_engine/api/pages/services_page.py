"""The first page: the live version of each service in each environment, as a table or a matrix."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response

from manifest_engine.api import airflow_internals as airflow
from manifest_engine.api import catalog
from manifest_engine.api.pages import templates
from manifest_engine.api.problem import Refused
from manifest_engine.domain.record import live as live_release
from manifest_engine.domain.record import overview

router = APIRouter()

ROWS_MAX = 100
"""Maximum number of rows on a page."""
_COLUMNS = ("service", "environment", "version", "since")
"""Columns by which the table can be sorted."""

Text = Annotated[str, Query(max_length=200)]


class Asked:
    """The query of the page; an empty text matches every row."""

    def __init__(
        self,
        *,
        text: Text = "",
        environment: Text = "",
        state: Text = "",
        result: Text = "",
        sort: overview.Sort = "service",
        view: Literal["table", "matrix"] = "table",
        cursor: Annotated[str, Query(max_length=overview.CURSOR_MAX)] = "",
    ) -> None:
        self.filter = {"text": text, "environment": environment, "state": state, "result": result}
        self.sort, self.view, self.cursor = sort, view, cursor

    def query(self, **other: str) -> str:
        """The query with other values; defaults are left out."""
        values = {**self.filter, "sort": self.sort, "view": self.view, **other}
        defaults = {"sort": "service", "view": "table"}
        return urlencode({k: v for k, v in values.items() if v and defaults.get(k) != v})

    def sorted_by(self, column: str) -> str:
        """``ascending``, ``descending`` or ``none``."""
        if self.sort.removeprefix("-") != column:
            return "none"
        return "descending" if self.sort.startswith("-") else "ascending"

    def order_of(self, column: str) -> str:
        """The query that sorts by a column, or reverses the order."""
        return self.query(sort=f"-{column}" if self.sort == column else column)


AskedDep = Annotated[Asked, Depends()]


@router.get("/", dependencies=[airflow.MAY_READ_RUNS])
def page(request: Request, asked: AskedDep) -> Response:
    """The page."""
    return templates.render(request, "services.html", _facts(asked))


@router.get("/table", dependencies=[airflow.MAY_READ_RUNS])
def table(request: Request, asked: AskedDep) -> Response:
    """The part with the table, which the page loads again."""
    answer = templates.render(request, "services_table.html", _facts(asked))
    if request.headers.get("hx-trigger") == "filter":
        answer.headers["HX-Replace-Url"] = f"{request.scope['root_path']}/?{asked.query()}"
    return answer


def _facts(asked: Asked) -> dict[str, Any]:
    chosen = overview.Filter(**{key: value or None for key, value in asked.filter.items()})
    try:
        found = catalog.list_services(chosen, asked.sort, ROWS_MAX, asked.cursor or None)
    except ValueError as error:
        raise Refused(422, str(error)) from error
    environments = [item["name"] for item in found["environments"]]
    return {
        "tab": "Services",
        "asked": asked,
        "found": found,
        "columns": _COLUMNS,
        "states": live_release.STATES,
        "matrix": _matrix(found["items"], environments) if asked.view == "matrix" else [],
        "environments": environments,
    }


def _matrix(items: list[dict[str, Any]], environments: list[str]) -> list[dict[str, Any]]:
    """A row for each service, with a cell for each environment.

    ``differs`` of a cell names the version in the environment before, if the versions differ.
    """
    services: dict[tuple[str, str], dict[str, Any]] = {}
    for item in items:
        name = (item["component"], item["serviceName"])
        services.setdefault(name, {})[item["environment"]] = item
    rows = []
    for (component, service), cells in services.items():
        before: tuple[str, str] | None = None  # environment and version
        made = []
        for environment in environments:
            found = cells.get(environment)
            version = (found or {}).get("version")
            other = before is not None and version is not None and version != before[1]
            differs = "{} has {}".format(*before) if before and other else ""
            made.append({"environment": environment, "item": found, "differs": differs})
            before = (environment, version) if version else before
        rows.append({"component": component, "serviceName": service, "cells": made})
    return rows
