"""Airflow creates a DAG paused unless the DAG says otherwise; only the scheduled DAG does not."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from airflow.dag_processing.dagbag import DagBag
from airflow.serialization.serialized_objects import DagSerialization
from manifest_engine.domain.environment import environments

DAGS = Path(__file__).parents[3] / "dags"


@pytest.mark.parametrize(
    ("dag_id", "paused"),
    [
        ("deploy_service", False),
        ("rollback_service", False),
        ("restart_service", False),
        ("remove_service", False),
        ("check_installation", False),
        ("rebuild_services", None),  # Airflow's default: paused
    ],
)
def test_only_the_scheduled_dag_is_paused_at_first(dag_id, paused):
    bag = DagBag(DAGS / f"{dag_id}.py")
    assert not bag.import_errors
    stored = DagSerialization.from_dict(DagSerialization.to_dict(bag.dags[dag_id]))
    assert stored.is_paused_upon_creation is paused


def test_the_sender_exists_only_with_receivers_and_is_not_held_back(tmp_path, monkeypatch):
    assert not DagBag(DAGS / "send_events.py").dags
    content = yaml.safe_load((environments.INCLUDE / "environments.yaml").read_text())
    content["environments"]["dev"]["metrics"] = True
    (tmp_path / "environments.yaml").write_text(yaml.safe_dump(content))
    monkeypatch.setenv(environments.PATH_VARIABLE, str(tmp_path / "environments.yaml"))
    bag = DagBag(DAGS / "send_events.py")
    assert not bag.import_errors
    stored = DagSerialization.from_dict(DagSerialization.to_dict(bag.dags["send_events"]))
    assert stored.is_paused_upon_creation is False
    assert stored.max_active_runs == 1
