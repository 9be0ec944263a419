"""A database with Airflow's own tables, and a client whose user is known."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, get_args

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from manifest_engine.api import airflow_internals, app, catalog
from manifest_engine.services.record.observation import Observer
from manifest_engine.services.record.run_index import RunIndex

BEGIN = datetime(2026, 1, 2, tzinfo=UTC)
CONF = {"component": "pricing", "serviceName": "quotes", "version": "1", "environment": "dev"}


def database() -> Any:
    """Makes a database with Airflow's tables in memory; returns what makes its sessions."""
    from airflow.models import import_all_models
    from airflow.models.base import Base
    from sqlalchemy import create_engine
    from sqlalchemy.orm import sessionmaker
    from sqlalchemy.pool import StaticPool

    import_all_models()
    shared = {"check_same_thread": False}
    engine = create_engine("sqlite://", connect_args=shared, poolclass=StaticPool)
    Base.metadata.create_all(engine)
    return sessionmaker(engine)


def logged_in(session: Any) -> FastAPI:
    """The app for the user ada, without Airflow's permissions."""
    made = app.create()
    user = SimpleNamespace(get_name=lambda: "ada", get_id=lambda: "ada")
    for route in made.routes:
        for dependency in getattr(route, "dependencies", ()):
            made.dependency_overrides[dependency.dependency] = lambda: None
    made.dependency_overrides[airflow_internals.get_user] = lambda: user
    of_session = get_args(airflow_internals.SessionDep)[1].dependency
    made.dependency_overrides[of_session] = lambda: session
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
    """What runs, by environment; an exception is raised. Index and caches begin empty."""
    deployed: dict[str, Any] = {}

    def read(name: str, _: Any) -> Any:
        found = deployed.get(name, {})
        if isinstance(found, Exception):
            raise found
        return found

    monkeypatch.setattr(catalog, "observer", Observer(read))
    monkeypatch.setattr(
        catalog, "runs", RunIndex(airflow_internals.recorded, airflow_internals.states)
    )
    monkeypatch.setattr(catalog, "_nights", (float("-inf"), []))
    return deployed


@pytest.fixture
def client(session: Any, cluster: Any) -> TestClient:
    headers = {"Authorization": "Bearer x"}
    return TestClient(logged_in(session), headers=headers, raise_server_exceptions=False)


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
