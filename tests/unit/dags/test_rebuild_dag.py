"""The nightly DAG as Airflow stores it, and how its last task ends."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.serialization.serialized_objects import DagSerialization
from manifest_engine.domain.core.errors import StateError
from manifest_engine.domain.rebuild.table import FAILED, REBUILT, UNCHANGED, Row
from manifest_engine.operators.rebuild.summarise_rebuilds import SummariseRebuilds

DAGS = Path(__file__).parents[3] / "dags"


def test_the_dag_can_be_stored_and_read_back_with_its_bounds():
    bag = DagBag(DAGS / "rebuild_services.py")
    assert not bag.import_errors
    dag = DagSerialization.from_dict(DagSerialization.to_dict(bag.dags["rebuild_services"]))
    assert dag.task_dict.keys() == {"plan", "rebuild", "summarise"}
    assert dag.max_active_runs == 1
    assert not dag.catchup
    assert dag.get_task("rebuild").partial_kwargs["max_active_tis_per_dagrun"] == 4
    assert dag.get_task("summarise").trigger_rule == "all_done"


def summarise(planned, ended):
    pushed = {}
    given = {"rows": planned, "row": ended}
    ti = SimpleNamespace(
        xcom_pull=lambda task_ids, key: given[key],
        xcom_push=lambda key, value: pushed.update({key: value}),
    )
    task = SummariseRebuilds(task_id="summarise", plan="plan", rebuild="rebuild")
    try:
        return task.execute({"ti": ti}), pushed
    except StateError as error:
        return str(error), pushed


def dumped(*rows):
    return [row.dump() for row in rows]


def test_each_service_has_a_row_with_the_reason_of_its_rebuild():
    planned = dumped(Row("a-one", "dev", UNCHANGED), Row("a-two", "dev", sentence="It moved."))
    counts, pushed = summarise(planned, dumped(Row("a-two", "dev", REBUILT, run_id="r")))
    assert counts == {"rebuilt": 1, "unchanged": 1, "failed": 0, "skipped": 0}
    assert pushed["table"]["rows"][0] == {
        "service": "a-two", "environment": "dev", "outcome": "rebuilt", "sentence": "It moved.",
        "run_id": "r",
    }  # fmt: skip


def test_a_task_without_a_result_fails_the_run():
    planned = dumped(Row("a-one", "dev", sentence="It moved."), Row("a-two", "dev", UNCHANGED))
    sentence, pushed = summarise(planned, [None])
    assert sentence.startswith("1 service could not be rebuilt: a-one in dev: Its task ended")
    assert [row["outcome"] for row in pushed["table"]["rows"]] == [FAILED, UNCHANGED]
    assert pushed["error"] == sentence


def test_a_failed_plan_is_named():
    sentence, _ = summarise(None, [])
    assert "see why the task plan failed" in sentence


@pytest.fixture(autouse=True)
def quiet(caplog):
    caplog.set_level("CRITICAL")
