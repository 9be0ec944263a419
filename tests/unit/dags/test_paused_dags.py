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


@pytest.mark.parametrize(
    ("dag_id", "block"),
    [
        ("send_events", {"metrics": True}),
        ("deploy_announced", {"webhook": {"connection": "jfrog", "paths": ["datafactory/*.zip"]}}),
    ],
)
def test_a_dag_that_exists_only_when_an_environment_wants_it_is_not_paused(
    tmp_path, monkeypatch, dag_id, block
):
    assert not DagBag(DAGS / f"{dag_id}.py").dags
    content = yaml.safe_load((environments.INCLUDE / "environments.yaml").read_text())
    content["environments"]["dev"] |= block
    (tmp_path / "environments.yaml").write_text(yaml.safe_dump(content))
    monkeypatch.setenv(environments.PATH_VARIABLE, str(tmp_path / "environments.yaml"))
    bag = DagBag(DAGS / f"{dag_id}.py")
    assert not bag.import_errors
    stored = DagSerialization.from_dict(DagSerialization.to_dict(bag.dags[dag_id]))
    assert stored.is_paused_upon_creation is False
