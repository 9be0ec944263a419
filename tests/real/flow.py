"""Runs the package's own DAGs in this process, in an Airflow of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from manifest_engine.domain.core.errors import ManifestEngineError
from manifest_engine.operators.core.step import ERROR_KEY

DAGS = Path(__file__).resolve().parents[2] / "dags"


def run(dag_id: str, conf: dict[str, Any]) -> dict[str, Any]:
    """Run a DAG to its end; returns the XCom ``return_value`` of each task.

    :raises ManifestEngineError: with the error of the failed step.
    """
    from airflow.dag_processing.dagbag import DagBag
    from airflow.models.xcom import XComModel
    from airflow.utils.session import create_session
    from airflow.utils.state import DagRunState
    from sqlalchemy import select

    bag = DagBag(DAGS / f"{dag_id}.py")
    if bag.import_errors:
        raise ManifestEngineError(f"{dag_id} cannot be loaded: {bag.import_errors}.")
    done = bag.dags[dag_id].test(run_conf=conf)
    with create_session() as session:
        asked = select(XComModel.task_id, XComModel.key, XComModel.value)
        rows = session.execute(
            asked.where(XComModel.dag_id == dag_id, XComModel.run_id == done.run_id)
        ).all()
    found = {(row.task_id, row.key): XComModel.deserialize_value(row) for row in rows}
    if done.state != DagRunState.SUCCESS:
        sentences = [str(value) for (_, key), value in found.items() if key == ERROR_KEY]
        raise ManifestEngineError(" ".join(sentences) or f"{dag_id} ended as {done.state}.")
    return {task: value for (task, key), value in found.items() if key == "return_value"}
