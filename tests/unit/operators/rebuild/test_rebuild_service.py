"""One mapped task of the nightly run triggers once, waits, and reports the outcome."""

from __future__ import annotations

import hashlib
import json
from contextlib import nullcontext
from types import SimpleNamespace

import pytest
from airflow.providers.common.compat.sdk import DagRunTriggerException
from airflow.providers.standard.operators import trigger_dagrun
from airflow.sdk.exceptions import TaskDeferred
from manifest_engine.domain.core.errors import StateError
from manifest_engine.operators.rebuild.rebuild_service import RebuildService
from manifest_engine.operators.rebuild.rebuild_trigger import RebuildTrigger

CONF = {"component": "pricing", "serviceName": "quotes", "environment": "dev", "rebuild": {}}
PLAN = hashlib.sha256(json.dumps(CONF, sort_keys=True).encode()).hexdigest()[:8]
RUN = f"night-1__pricing-quotes__dev__{PLAN}"


def context(state=None, left=None, *, paused=False):
    pushed = {}
    ti = SimpleNamespace(
        pushed=pushed,
        get_dr_count=lambda dag_id, run_ids: int(state is not None and run_ids == [RUN]),
        get_dagrun_state=lambda dag_id, run_id: state,
        get_dag=lambda dag_id: SimpleNamespace(is_paused=paused),
        xcom_pull=lambda task_ids, key, **_: (left or {}).get((task_ids, key)),
        xcom_push=lambda key, value: pushed.update({key: value}),
    )
    return {"ti": ti, "dag_run": SimpleNamespace(run_id="night-1")}


def task(conf=CONF, *, asks=False):
    return RebuildService(task_id="rebuild", title="pricing-quotes in dev", conf=conf, asks=asks)


def end(state, left=None):
    made = context(left=left)
    failing = pytest.raises(StateError) if state == "failed" else nullcontext()
    with failing:
        task().execute_complete(made, ("DagStateTrigger", {"run_ids": [RUN], RUN: state}))
    return made["ti"].pushed["row"]


def test_the_first_try_triggers_a_run_that_is_named_after_night_and_service():
    with pytest.raises(DagRunTriggerException) as raised:
        task().execute(context())
    asked = raised.value
    assert (asked.dag_run_id, asked.reset_dag_run, asked.conf) == (RUN, False, CONF)
    assert asked.deferrable
    assert asked.wait_for_completion


def test_a_paused_dag_is_reported_and_nothing_is_triggered():
    made = context(paused=True)
    with pytest.raises(StateError, match="deploy_service is paused"):
        task().execute(made)
    assert made["ti"].pushed["row"]["outcome"] == "failed"


@pytest.mark.parametrize("state", ["queued", "running", "success"])
def test_a_retry_waits_for_the_run_of_an_earlier_try(state):
    with pytest.raises(TaskDeferred) as raised:
        task().execute(context(state))
    assert raised.value.trigger.run_id == RUN


def test_a_run_with_an_approval_is_waited_for_until_the_run_asks():
    with pytest.raises(DagRunTriggerException) as raised:
        task(asks=True).execute(context())
    assert "running" in raised.value.allowed_states
    with pytest.raises(TaskDeferred) as waiting:
        task(asks=True).execute_complete(context(), ("DagStateTrigger", {RUN: "running"}))
    made = waiting.value.trigger
    assert made.run_id == RUN
    assert RebuildTrigger(**made.serialize()[1]).serialize() == made.serialize()


def test_a_new_plan_has_its_own_run():
    moved = CONF | {"rebuild": {"releaseHash": "other"}}
    with pytest.raises(DagRunTriggerException) as raised:
        task(moved).execute(context("success"))
    assert raised.value.dag_run_id != RUN


def test_the_conf_stays_a_manifest_with_openlineage(monkeypatch):
    adds = "safe_inject_openlineage_properties_into_dagrun_conf"
    monkeypatch.setattr(trigger_dagrun, adds, lambda **_: pytest.fail("added to the conf"))
    with pytest.raises(DagRunTriggerException) as raised:
        task().execute(context())
    assert raised.value.conf == CONF


def test_a_cleared_task_runs_a_failed_deployment_again():
    with pytest.raises(DagRunTriggerException) as raised:
        task().execute(context("failed"))
    assert raised.value.reset_dag_run


@pytest.mark.parametrize(
    ("state", "left", "outcome", "sentence"),
    [
        ("success", {("push_image", "return_value"): {"digest": "sha256:aa"}}, "rebuilt", None),
        (
            "success",
            {("build_image", "return_value"): {"unchanged": True}},
            "unchanged",
            "The same image was built again.",
        ),
        ("success", {("validate", "skipped"): "It is gone."}, "skipped", "It is gone."),
        ("success", {("apply_deployment", "skipped"): "Replaced."}, "skipped", "Replaced."),
        ("failed", {("smoke_test", "error"): "It answers 500."}, "failed", "It answers 500."),
        (
            "awaiting_input",
            {},
            "skipped",
            f"Its environment asks for an approval: run {RUN} waits under Required Actions.",
        ),
        ("failed", {}, "failed", "Its run ended as failed; see its tasks' logs."),
    ],
)
def test_the_row_has_the_outcome_of_the_service(state, left, outcome, sentence):
    row = end(state, left)
    assert (row["outcome"], row.get("sentence"), row["run_id"]) == (outcome, sentence, RUN)
    assert row.get("digest") == ("sha256:aa" if outcome == "rebuilt" else None)
