"""Nothing changes in an environment before a required approval."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk.exceptions import DownstreamTasksSkipped
from manifest_engine.domain.core.errors import StateError
from manifest_engine.domain.environment.environment import Approval
from manifest_engine.operators.core import lease_step
from manifest_engine.operators.image.push_image import PushImage
from manifest_engine.operators.release.validate_rollback import ValidateRollback
from manifest_engine.operators.removal.remove_service import (
    RemoveRoute,
    RemoveWorkload,
    ValidateRemoval,
)
from manifest_engine.operators.smoke.smoke_pod_operator import SmokePodOperator
from manifest_engine.operators.smoke.smoke_test import SmokeTest

from tests.unit.domain.release.releases import DIGEST, make_release
from tests.unit.domain.removal.removals import make_removal

DAGS = Path(__file__).parents[4] / "dags"
PUSH = {"digest": DIGEST}


def planned(approval, made=None):
    made = made or make_release()
    environment = made.environment.model_copy(update={"approval": approval})
    return made.model_copy(update={"environment": environment}).dump()


@pytest.fixture
def context():
    pushed = {}
    ti = SimpleNamespace(xcom_push=lambda key, value: pushed.update({key: value}), pushed=pushed)
    return {"ti": ti}


GUARDED = {
    "deploy_service": ("smoke_test", "apply_deployment"),
    "rollback_service": ("smoke_test", "apply_deployment"),
    "remove_service": ("remove_route", "remove_workload"),
}


@pytest.fixture(params=GUARDED)
def dag(request):
    return DagBag(DAGS / f"{request.param}.py").dags[request.param]


def test_steps_that_change_the_environment_follow_the_approval(dag):
    before = dag.get_task("approve").get_flat_relative_ids(upstream=True)
    for step in GUARDED[dag.dag_id]:
        assert step not in before
        task = dag.get_task(step)
        assert "approve" in task.upstream_task_ids
        # They run after an approval that was skipped, and never after one that failed.
        assert task.trigger_rule == "none_failed"


def test_the_smoke_test_requires_the_approval_before_it_creates_a_pod(context, monkeypatch):
    monkeypatch.setattr(SmokePodOperator, "test", lambda *_: pytest.fail("a pod was made"))
    step = SmokeTest(task_id="smoke_test", release=planned(Approval()), push=PUSH, approval=None)
    with pytest.raises(StateError, match="nobody has approved sha256:dddddddddddd in this run"):
        step.execute(context)


def test_push_image_skips_the_approval_when_none_is_needed(context, monkeypatch):
    monkeypatch.setattr(PushImage, "run", lambda self, context: PUSH)
    step = PushImage(task_id="push_image", release=planned(None), build={}, approval="approve")
    with pytest.raises(DownstreamTasksSkipped) as caught:
        step.execute(context)
    assert (caught.value.tasks, context["ti"].pushed) == (["approve"], {"return_value": PUSH})
    step.release = planned(Approval())
    assert step.execute(context) == PUSH


def test_validate_rollback_skips_the_approval_when_none_is_needed(context, monkeypatch):
    found = planned(None)
    monkeypatch.setattr(ValidateRollback, "run", lambda self, context: found)
    with pytest.raises(DownstreamTasksSkipped) as caught:
        ValidateRollback(task_id="validate_rollback", approval="approve").execute(context)
    assert caught.value.tasks == ["approve"]
    found = planned(Approval())
    assert ValidateRollback(task_id="v", approval="approve").execute(context) == found


def test_validate_removal_skips_the_approval_when_none_is_needed(context, monkeypatch):
    found = planned(None, make_removal())
    monkeypatch.setattr(ValidateRemoval, "run", lambda self, context: found)
    with pytest.raises(DownstreamTasksSkipped) as caught:
        ValidateRemoval(task_id="validate_removal", approval="approve").execute(context)
    assert caught.value.tasks == ["approve"]
    found = planned(Approval(), make_removal())
    assert ValidateRemoval(task_id="v", approval="approve").execute(context) == found


@pytest.mark.parametrize("step", [RemoveRoute, RemoveWorkload])
def test_a_removal_requires_the_approval_under_the_lease(context, monkeypatch, step):
    events = []
    lease = SimpleNamespace(
        acquire=lambda: events.append("acquired"), release=lambda: events.append("released")
    )
    monkeypatch.setattr(lease_step.LeaseStep, "service", lambda self, _: (None, lease))
    removing = step(task_id="remove", removal=planned(Approval(), make_removal()), approval=None)
    with pytest.raises(StateError, match="so nothing is removed"):
        removing.execute(context)
    assert events == ["acquired", "released"]


def test_runs_that_wait_for_a_person_do_not_block_other_runs(dag):
    assert dag.max_active_runs == 1000
    assert dag.dagrun_timeout >= timedelta(hours=2)


def test_heavy_steps_are_limited_and_waiting_steps_are_not(dag):
    bounds = {
        task.task_id: task.max_active_tis_per_dag
        for task in dag.tasks
        if task.max_active_tis_per_dag
    }
    heavy = {"download_artifact", "build_image", "push_image", "smoke_test"} & dag.task_dict.keys()
    assert bounds == dict.fromkeys(heavy, 32) | (
        {"describe_image": 4} if dag.has_task("describe_image") else {}
    )


def test_tasks_of_advanced_runs_go_first(dag):
    for step in GUARDED[dag.dag_id]:
        assert dag.get_task(step).weight_rule == "upstream"
