"""Reads runs, their tasks, XComs and logs from Airflow's database.

Every query uses an index and has a limit, so the number of old runs does not slow it down.
``docs/benchmarks.md`` shows the query plans.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import TaskInstance
from airflow.models.xcom import XComModel
from airflow.settings import NonScopedSession
from airflow.utils.log.log_reader import TaskLogReader
from sqlalchemy import Text, cast, func, select, tuple_
from sqlalchemy.orm import Session, joinedload

from manifest_engine.domain.record import deployment
from manifest_engine.domain.record.audit import Run
from manifest_engine.domain.record.history import Recorded

_XCOM_MAX = 256 * 1024
"""Limit for an XCom as JSON, in characters."""
_NAME_MAX = 128
"""Limit for each of the fields below, in characters."""
_OF_CONF = {
    "environment": "environment",
    "component": "component",
    "service_name": "serviceName",
    "version": "version",
    "dry_run": "dryRun",
    "rebuild": "rebuild",
}
"""Fields of a run's conf that :func:`recorded` reads."""
_NIGHTS = 5
"""Number of nightly runs whose base images are read: one run may cover only one environment."""

_shared: ContextVar[Session | None] = ContextVar("shared", default=None)


@contextmanager
def one_session() -> Iterator[Session]:
    """One session for all reads in a block, because each session costs three more requests."""
    if (outer := _shared.get()) is not None:
        yield outer
        return
    with NonScopedSession() as session:
        token = _shared.set(session)
        try:
            yield session
        finally:
            _shared.reset(token)


def dag_of(run_id: str) -> str | None:
    """The DAG, among those that change a service, that has the run; None if no DAG has it."""
    with one_session() as session:
        found = session.scalars(
            select(DagRun.dag_id).where(DagRun.dag_id.in_(deployment.DAGS), DagRun.run_id == run_id)
        ).all()
    return min(found, key=deployment.DAGS.index, default=None)


def facts(
    run_ids: Iterable[str], places: frozenset[tuple[str, str]] = deployment.PLACES
) -> dict[str, deployment.Facts]:
    """Read what Airflow has recorded about several runs; returns it by run id.

    It takes three queries, whatever the number of runs.

    :param places: task and key of each XCom to read.
    """
    ids = sorted(set(run_ids))
    with one_session() as session:
        found = {
            (row.dag_id, row.run_id): row
            for row in session.execute(
                select(
                    *(DagRun.dag_id, DagRun.run_id, DagRun.state, DagRun.conf),
                    *(DagRun.triggered_by, DagRun.triggering_user_name, DagRun.run_after),
                    *(DagRun.start_date, DagRun.end_date, _note().label("note")),
                ).where(DagRun.dag_id.in_(deployment.DAGS), DagRun.run_id.in_(ids))
            )
        }
        # Two DAGs can have runs with the same id. Then the DAG that DAGS names first counts.
        order = sorted(found, key=lambda place: -deployment.DAGS.index(place[0]))
        runs = {run_id: found[dag_id, run_id] for dag_id, run_id in order}
        tasks: dict[str, list[deployment.Task]] = {run_id: [] for run_id in runs}
        columns = (TaskInstance.dag_id, TaskInstance.run_id, TaskInstance.task_id)
        more = (TaskInstance.state, TaskInstance.try_number)
        times = (TaskInstance.start_date, TaskInstance.end_date)
        for dag_id, run_id, *row in session.execute(
            select(*columns, *more, *times).where(
                TaskInstance.dag_id.in_(deployment.DAGS), TaskInstance.run_id.in_(ids)
            )
        ):
            if run_id in runs and runs[run_id].dag_id == dag_id:
                tasks[run_id].append(deployment.Task(*row))
        xcoms: dict[str, dict[tuple[str, str], Any]] = {run_id: {} for run_id in runs}
        for dag_id, run_id, task, key, value in session.execute(
            select(
                *(XComModel.dag_id, XComModel.run_id),
                *(XComModel.task_id, XComModel.key, XComModel.value),
            ).where(
                XComModel.dag_run_id.in_(
                    select(DagRun.id).where(
                        DagRun.dag_id.in_(deployment.DAGS), DagRun.run_id.in_(ids)
                    )
                ),
                tuple_(XComModel.task_id, XComModel.key).in_(sorted(places)),
                func.length(cast(XComModel.value, Text)) <= _XCOM_MAX,
            )
        ):
            if run_id in runs and runs[run_id].dag_id == dag_id:
                xcoms[run_id][task, key] = value
    return {
        run_id: deployment.Facts(_run(row), row.note or "", tasks[run_id], xcoms[run_id])
        for run_id, row in runs.items()
    }


def recorded(
    after: int | None, before: int | None, limit: int, known: Collection[int] = ()
) -> list[Recorded]:
    """Runs that change a service, with a few fields of their conf.

    :param after: read the rows with higher numbers, ascending; None reads descending.
    :param before: read only the rows with lower numbers.
    :param known: row numbers to skip.
    """
    columns = {
        "number": DagRun.id,
        "dag_id": DagRun.dag_id,
        "run_id": DagRun.run_id,
        "state": DagRun.state,
        "requested_at": DagRun.run_after,
        "requested_by": DagRun.triggering_user_name,
        **{
            field: func.substr(DagRun.conf[name].as_string(), 1, _NAME_MAX)
            for field, name in _OF_CONF.items()
        },
    }
    query = select(*(column.label(name) for name, column in columns.items()))
    query = query.where(DagRun.dag_id.in_(deployment.DAGS))
    if after is not None:
        query = query.where(DagRun.id > after, DagRun.id.not_in(known)).order_by(DagRun.id)
    else:
        query = query.order_by(DagRun.id.desc())
        query = query if before is None else query.where(DagRun.id < before)
    with one_session() as session:
        return [_recorded(dict(row)) for row in session.execute(query.limit(limit)).mappings()]


def active() -> dict[int, str]:
    """The state of each queued or running run that changes a service, by its row number."""
    with one_session() as session:
        query = select(DagRun.id, DagRun.state).where(
            DagRun.dag_id.in_(deployment.DAGS), DagRun.state.in_(("queued", "running"))
        )
        return {number: _word(state) for number, state in session.execute(query)}


def states(numbers: Iterable[int]) -> dict[int, str]:
    """The state of each run by its row number; deleted runs are missing."""
    with one_session() as session:
        query = select(DagRun.id, DagRun.state).where(DagRun.id.in_(sorted(numbers)))
        return {number: _word(state) for number, state in session.execute(query)}


def base_digests() -> list[dict[str, Any]]:
    """The digests of base images that the last nightly runs found, newest run first."""
    with one_session() as session:
        nights = session.scalars(
            select(DagRun.id)
            .where(DagRun.dag_id == deployment.NIGHTLY)
            .order_by(DagRun.id.desc())
            .limit(_NIGHTS)
        ).all()
        found = session.execute(
            select(XComModel.dag_run_id, XComModel.value).where(
                XComModel.dag_run_id.in_(nights),
                XComModel.task_id == "plan",
                XComModel.map_index == -1,
                XComModel.key == deployment.BASES_KEY,
                func.length(cast(XComModel.value, Text)) <= _XCOM_MAX,
            )
        ).all()
    return [value for _, value in sorted(found, key=lambda row: -row[0]) if isinstance(value, dict)]


def log_lines(run_id: str, step: str) -> Iterator[str] | None:
    """The log of a step's last try, a JSON object a line; None if the step has not begun."""
    dag_id = dag_of(run_id)
    with NonScopedSession() as session:
        found = session.scalar(
            select(TaskInstance)
            .where(
                TaskInstance.dag_id == dag_id,
                TaskInstance.run_id == run_id,
                TaskInstance.task_id == step,
            )
            .options(joinedload(TaskInstance.dag_run))
        )
        if found is None or not found.try_number:
            return None
        session.expunge_all()
    return TaskLogReader().read_log_stream(found, found.try_number, {})


def _note() -> Any:
    from airflow.models.dagrun import DagRunNote

    return select(DagRunNote.content).where(DagRunNote.dag_run_id == DagRun.id).scalar_subquery()


def _run(row: Any) -> Run:
    return Run(
        dag_id=row.dag_id,
        run_id=row.run_id,
        state=_word(row.state),
        conf=row.conf or {},
        triggered_by=getattr(row.triggered_by, "value", row.triggered_by),
        user=row.triggering_user_name,
        requested_at=row.run_after,
        started_at=row.start_date,
        ended_at=row.end_date,
    )


def _recorded(row: dict[str, Any]) -> Recorded:
    flags = {"dry_run": row["dry_run"] in ("true", "1"), "rebuild": bool(row["rebuild"])}
    return Recorded(**row | flags | {"state": _word(row["state"])})


def _word(state: Any) -> str:
    return str(getattr(state, "value", state))
