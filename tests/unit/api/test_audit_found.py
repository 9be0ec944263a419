"""The listener reads a run's tasks from a database with Airflow's own tables."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from manifest_engine.api.listeners import audit_listener
from manifest_engine.domain.record import audit

RUN = SimpleNamespace(dag_id="rebuild_services", run_id="night")
BEGIN = datetime(2026, 1, 2, tzinfo=UTC)

Failed = Callable[..., None]


@pytest.fixture
def failed(session: Any) -> Failed:
    """Adds a failed task and its sentence."""
    from airflow.models.taskinstance import TaskInstance
    from airflow.models.xcom import XComModel
    from sqlalchemy import insert

    def add(task: str, index: int, sentence: str, *, at: int, run_id: str = "night") -> None:
        of = {"dag_id": RUN.dag_id, "run_id": run_id, "task_id": task, "map_index": index}
        ended = BEGIN + timedelta(seconds=at)
        session.execute(insert(TaskInstance).values(**of, state="failed", end_date=ended, pool="p"))
        error = {"key": "error", "value": sentence, "dag_run_id": len(run_id)}
        session.execute(insert(XComModel).values(**of, **error))
        session.commit()

    return add


def test_a_nightly_run_reports_the_error_of_its_summary(failed: Failed) -> None:
    failed("rebuild", 0, "Service 0 answers 500.", at=1)
    failed("rebuild", 1, "Service 1 answers 500.", at=2)
    failed("summarise", -1, "2 services could not be rebuilt.", at=9)
    found = {("summarise", "error"): "2 services could not be rebuilt."}
    assert audit_listener._found(RUN) == (found, "summarise")


def test_a_failed_mapped_task_without_a_summary_reports_its_own_error(failed: Failed) -> None:
    failed("rebuild", 3, "Service 3 answers 500.", at=1)
    failed("rebuild", 5, "Service 5 answers 500.", at=2)
    found = {("rebuild", "error"): "Service 3 answers 500."}
    assert audit_listener._found(RUN) == (found, "rebuild")


def test_the_first_failed_step_is_reported(failed: Failed) -> None:
    failed("summarise", -1, "Nothing was planned.", at=2)
    failed("plan", -1, "The cluster does not answer.", at=1)
    failed("plan", -1, "of another run", at=0, run_id="last-night")
    xcoms, step = audit_listener._found(RUN)
    assert (step, xcoms["plan", "error"]) == ("plan", "The cluster does not answer.")


def test_a_run_without_a_failed_task_reports_no_error(session: Any) -> None:
    assert audit_listener._found(RUN) == ({}, None)


def test_xcoms_that_no_entry_needs_are_not_read(session: Any, failed: Failed) -> None:
    failed("rebuild", 0, "Service 0 answers 500.", at=1)
    _add(session, "plan", "return_value", [{"conf": "x" * 1_000} for _ in range(1_000)])
    _add(session, "validate", "error", "of a task that did not fail")
    _add(session, "validate", "return_value", {"manifest": {"notes": "x" * 70_000}})
    _add(session, "record_release", "return_value", {"url": "x" * 300_000})
    with _statements(session) as asked:
        xcoms, _ = audit_listener._found(RUN)
    assert xcoms.keys() == {("rebuild", "error"), ("validate", "return_value")}
    assert len(asked) == 2
    # Joined with the run, each row would bring the run's conf along.
    assert not any("dag_run.conf" in statement for statement in asked)


def test_each_place_of_an_entry_is_read(session: Any) -> None:
    for task, key in audit.PLACES:
        _add(session, task, key, {"of": task})
    xcoms, _ = audit_listener._found(RUN)
    assert xcoms == {(task, key): {"of": task} for task, key in audit.PLACES}


def _add(session: Any, task: str, key: str, value: Any) -> None:
    from airflow.models.xcom import XComModel
    from sqlalchemy import insert

    of = {"dag_id": RUN.dag_id, "run_id": RUN.run_id, "task_id": task, "map_index": -1}
    session.execute(insert(XComModel).values(**of, key=key, value=value, dag_run_id=1))
    session.commit()


@contextmanager
def _statements(session: Any) -> Iterator[list[str]]:
    """The SQL statements sent inside the block."""
    from sqlalchemy import event

    asked: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        asked.append(statement)

    engine = session.get_bind()
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield asked
    finally:
        event.remove(engine, "before_cursor_execute", note)
