"""Records the end of each run as an asset event, which starts the DAG ``send_events``.

Airflow calls the listener in the scheduler, and in the API server when a user marks a run. The
listener only writes one row in a separate transaction, so it can neither delay nor break a run.
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
        _log.exception("The end of %s was not recorded for events", getattr(dag_run, "run_id", "?"))


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
        if asset is None:  # the DAG send_events is missing, because no receiver is configured
            return
        if session.get_bind().dialect.name == "sqlite":
            # SQLite allows one writer, and the transaction that ends the run is writing.
            _log.warning("Events need PostgreSQL or MySQL: no event for %s", extra["run"])
            return
        asset_manager.register_asset_change(asset=asset, extra=extra, session=session)
        session.commit()
