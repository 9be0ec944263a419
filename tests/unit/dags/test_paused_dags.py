"""Which DAGs Airflow holds back at first: it does that with each that says nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.serialization.serialized_objects import DagSerialization

DAGS = Path(__file__).parents[3] / "dags"


@pytest.mark.parametrize(
    ("dag_id", "held_back"),
    [
        ("deploy_service", False),
        ("rollback_service", False),
        ("restart_service", False),
        ("remove_service", False),
        ("check_installation", False),
        ("rebuild_services", None),  # nobody has asked for a night yet
    ],
)
def test_what_is_triggered_runs_and_a_schedule_is_asked_for(dag_id, held_back):
    bag = DagBag(DAGS / f"{dag_id}.py")
    assert not bag.import_errors
    stored = DagSerialization.from_dict(DagSerialization.to_dict(bag.dags[dag_id]))
    assert stored.is_paused_upon_creation is held_back
