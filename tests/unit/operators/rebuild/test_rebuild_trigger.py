"""The trigger waits until a rebuild ends or waits for a person."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest
from airflow.sdk.execution_time import task_runner
from manifest_engine.operators.rebuild import rebuild_trigger
from manifest_engine.operators.rebuild.rebuild_trigger import ASKS, RebuildTrigger


@pytest.fixture
def fires(monkeypatch):
    """The state in the event, after the given states of run and task."""

    def run(*looks):
        left = list(looks)
        seen = []

        def state_of(dag_id, run_id):
            assert (dag_id, run_id) == ("deploy_service", "night__one")
            seen.append(left.pop(0))
            return seen[-1][0]

        def count(dag_id, run_ids, task_ids, states):
            assert (dag_id, run_ids, task_ids) == ("deploy_service", ["night__one"], ["approve"])
            return int(seen[-1][1] in states)

        airflow = SimpleNamespace(get_dagrun_state=state_of, get_ti_count=count)
        monkeypatch.setattr(task_runner, "RuntimeTaskInstance", airflow)
        monkeypatch.setattr(rebuild_trigger, "POLL_SECONDS", 0)
        trigger = RebuildTrigger(run_id="night__one")
        trigger.task_id = "rebuild"  # Airflow tells a trigger which task waits for it
        event = asyncio.run(anext(trigger.run())).payload
        assert left == []
        return event[1]["night__one"]

    return run


def test_the_trigger_waits_for_the_end_of_the_run(fires):
    assert fires(("running", None), ("running", "running"), ("failed", "skipped")) == "failed"


def test_the_trigger_fires_when_the_run_waits_for_a_person(fires):
    assert fires(("queued", None), ("running", ASKS)) == ASKS
