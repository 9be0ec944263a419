"""The end of a run is recorded for ``send_events``, and an error does not break the run."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from airflow.assets.manager import asset_manager
from manifest_engine.api.listeners import run_listener
from manifest_engine.domain.events import facts

RUN: Any = SimpleNamespace(dag_id="deploy_service", run_id="api__1")


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    made: list[Any] = []
    monkeypatch.setattr(run_listener, "_write", made.append)
    return made


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> Any:
    from airflow import settings
    from airflow.models import import_all_models
    from airflow.models.base import Base
    from sqlalchemy import create_engine
    from sqlalchemy.orm import sessionmaker

    import_all_models()
    engine = create_engine("sqlite://")
    Base.metadata.create_all(engine)
    make = sessionmaker(engine)
    monkeypatch.setattr(settings, "NonScopedSession", make)
    with make() as opened:
        yield opened


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    made: list[Any] = []
    monkeypatch.setattr(
        asset_manager, "register_asset_change", lambda **given: made.append(given["extra"])
    )
    return made


def test_both_ends_are_recorded(recorded):
    run_listener.on_dag_run_success(RUN, "success")
    run_listener.on_dag_run_failed(RUN, "timed_out")
    of_run = {"dag": "deploy_service", "run": "api__1"}
    assert recorded == [of_run | {"message": "success"}, of_run | {"message": "timed_out"}]


def test_runs_of_other_dags_are_ignored(recorded):
    run_listener.on_dag_run_success(SimpleNamespace(dag_id="other", run_id="x"), "success")
    assert recorded == []


def test_nothing_is_written_without_a_receiver(session, registered):
    run_listener.on_dag_run_success(RUN, "success")
    assert registered == []


def test_nothing_is_written_to_sqlite(session, registered, caplog):
    from airflow.models.asset import AssetActive, AssetModel

    uri = f"{facts.ASSET_URI}/"  # as Airflow stores it
    session.add(AssetModel(name=facts.ASSET_NAME, uri=uri))
    session.add(AssetActive(name=facts.ASSET_NAME, uri=uri))
    session.commit()
    run_listener.on_dag_run_success(RUN, "success")
    assert registered == []
    assert "Events need PostgreSQL or MySQL: no event for api__1" in caplog.text


def test_an_error_is_only_logged(monkeypatch, caplog):
    def fail(_: Any) -> None:
        raise OSError("The database is away.")

    monkeypatch.setattr(run_listener, "_write", fail)
    run_listener.on_dag_run_success(RUN, "success")
    assert "The end of api__1 was not recorded for events" in caplog.text
