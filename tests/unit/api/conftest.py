"""A database with Airflow's own tables, and a client whose user is known."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from types import SimpleNamespace
from typing import Any, get_args

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from manifest_engine.api import airflow_internals, app, catalog
from manifest_engine.services.record.observation import Observer
from manifest_engine.services.record.run_index import RunIndex
from starlette.routing import Mount

BEGIN = datetime(2026, 1, 2, tzinfo=UTC)
CONF = {"component": "pricing", "serviceName": "quotes", "version": "1", "environment": "dev"}


def _in_memory() -> Any:
    """An engine with one database in memory, and the connection to it."""
    from sqlalchemy import create_engine
    from sqlalchemy.pool import StaticPool

    shared = {"check_same_thread": False}
    engine = create_engine("sqlite://", connect_args=shared, poolclass=StaticPool)
    return engine, engine.raw_connection().driver_connection


@cache
def _empty() -> bytes:
    """A database with Airflow's tables, which take longer to make than most tests."""
    from airflow.models import import_all_models
    from airflow.models.base import Base

    import_all_models()
    engine, connection = _in_memory()
    Base.metadata.create_all(engine)
    content: bytes = connection.serialize()
    return content


def database() -> Any:
    """Make a database with Airflow's tables in memory, and return a maker of sessions."""
    from sqlalchemy.orm import sessionmaker

    engine, connection = _in_memory()
    connection.deserialize(_empty())
    return sessionmaker(engine)


def pages_of(whole: FastAPI) -> FastAPI:
    """The mounted app of the pages."""
    found = [item.app for item in whole.routes if isinstance(item, Mount) and item.path == "/ui"]
    assert isinstance(found[0], FastAPI)
    return found[0]


_created = cache(app.create)


def unused_app() -> FastAPI:
    """The app without a request so far. Its routes do not change, so they are made once."""
    made = _created()
    for part in (made, pages_of(made)):
        part.dependency_overrides = {}
        part.middleware_stack = None  # is made at the first request; the guard counts from zero
    return made


def log_in(made: FastAPI, session: Any) -> FastAPI:
    """Makes each request one of the user ada, without Airflow's permissions."""
    user = SimpleNamespace(get_name=lambda: "ada", get_id=lambda: "ada")
    of_session = get_args(airflow_internals.SessionDep)[1].dependency
    for part in (made, pages_of(made)):
        for route in part.routes:
            for dependency in getattr(route, "dependencies", ()):
                part.dependency_overrides[dependency.dependency] = lambda: None
        part.dependency_overrides[airflow_internals.get_user] = lambda: user
        part.dependency_overrides[of_session] = lambda: session
    return made


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """An empty database of Airflow in memory, which Airflow and our code use."""
    from airflow import settings

    make = database()
    for module in (settings, airflow_internals.rows):
        monkeypatch.setattr(module, "NonScopedSession", make)
    with make() as opened:
        yield opened


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Services by environment, or the exception of its cluster. Indexes and caches are empty."""
    deployed: dict[str, Any] = {}

    def read(name: str, _: Any) -> Any:
        found = deployed.get(name, {})
        if isinstance(found, Exception):
            raise found
        return found

    monkeypatch.setattr(catalog, "observer", Observer(read))
    monkeypatch.setattr(
        catalog,
        "runs",
        RunIndex(airflow_internals.recorded, airflow_internals.active, airflow_internals.states),
    )
    monkeypatch.setattr(catalog, "_nights", (float("-inf"), []))
    return deployed


@pytest.fixture
def client(session: Any, cluster: Any) -> TestClient:
    headers = {"Authorization": "Bearer x"}
    made = log_in(unused_app(), session)
    return TestClient(made, headers=headers, raise_server_exceptions=False)


@pytest.fixture
def run(session: Any) -> Any:
    """Adds a run with its tasks and XComs."""
    from airflow.models.dagrun import DagRun
    from airflow.models.taskinstance import TaskInstance
    from airflow.models.xcom import XComModel
    from sqlalchemy import insert

    def add(run_id: str, state: str, xcoms: Any = None, **more: Any) -> None:
        at = {"dag_id": more.pop("dag_id", "deploy_service"), "run_id": run_id}
        conf = CONF | more.pop("conf", {})
        when = more.pop("at", BEGIN)
        values = {"conf": conf, "run_type": "manual", "run_after": when, "state": state}
        values |= {"end_date": when} if more.pop("ended", False) else {}
        added = session.execute(insert(DagRun).values(**at, **values, triggering_user_name="ada"))
        for task, found in more.items():
            row = {"task_id": task, "state": found, "pool": "p", "try_number": 1}
            session.execute(insert(TaskInstance).values(**at, **row, start_date=BEGIN))
        for (task, key), value in (xcoms or {}).items():
            row = {"task_id": task, "key": key, "value": value}
            where = {"dag_run_id": added.inserted_primary_key[0], "map_index": -1}
            session.execute(insert(XComModel).values(**at, **row, **where))
        session.commit()

    return add
