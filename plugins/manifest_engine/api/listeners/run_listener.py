"""Records the end of each run as an asset event, from which ``send_events`` tells others.

The listener runs where Airflow changes a run's state: in the scheduler, and in the API server when
somebody marks a run. It sends nothing. It writes one row in a transaction of its own, and only if
``send_events`` exists, so it can neither delay nor break a run.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from airflow.listeners import hookimpl

if TYPE_CHECKING:
    from airflow.models.dagrun import DagRun

_MESSAGE_MAX = 200
_log = logging.getLogger(__name__)


@hookimpl
def on_dag_run_success(dag_run: DagRun, msg: str) -> None:
    """Record a successful run."""
    _record(dag_run, msg)


@hookimpl
def on_dag_run_failed(dag_run: DagRun, msg: str) -> None:
    """Record a failed run."""
    _record(dag_run, msg)


def _record(dag_run: DagRun, message: str) -> None:
    try:
        from manifest_engine.domain.events import facts

        if dag_run.dag_id in facts.DAGS:
            extra = {"dag": dag_run.dag_id, "run": dag_run.run_id}
            _write(extra | {"message": str(message or "")[:_MESSAGE_MAX]})
    except Exception:
        _log.exception("No event tells the end of %s", getattr(dag_run, "run_id", "?"))


def _write(extra: dict[str, Any]) -> None:
    from airflow.assets.manager import asset_manager
    from airflow.models.asset import AssetModel
    from airflow.settings import NonScopedSession
    from sqlalchemy import select

    from manifest_engine.domain.events import facts

    with NonScopedSession() as session:
        asset = session.scalar(
            select(AssetModel).where(AssetModel.name == facts.ASSET_NAME, AssetModel.active.has())
        )
        if asset is None:  # nobody is to be told
            return
        if session.get_bind().dialect.name == "sqlite":
            # SQLite has one writer at a time: the transaction that changes the run's state.
            _log.warning("Events need PostgreSQL or MySQL: %s is not told", extra["run"])
            return
        asset_manager.register_asset_change(asset=asset, extra=extra, session=session)
        session.commit()
