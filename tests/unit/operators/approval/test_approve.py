"""The question to a person, and the result of the answer."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from airflow.providers.standard.operators import hitl
from airflow.sdk.exceptions import TaskAwaitingInput
from manifest_engine.domain.core.errors import ClusterError, NotApproved
from manifest_engine.domain.dry_run.difference import Change
from manifest_engine.domain.environment import environments
from manifest_engine.domain.environment.environment import Approval
from manifest_engine.operators.approval.approve import Approve
from manifest_engine.services.dry_run import dry_run
from manifest_engine.services.dry_run.cluster import DryRunHook
from manifest_engine.services.workload.workload import Workload

from tests.unit.domain.release.releases import DIGEST, make_release

NOW = datetime(2026, 1, 2, tzinfo=UTC)


@pytest.fixture
def context():
    pushed = {}
    ti = SimpleNamespace(
        id="ti-1", xcom_push=lambda key, value: pushed.update({key: value}), pushed=pushed
    )
    return {"ti": ti, "task_instance": ti}


@pytest.fixture
def task(monkeypatch):
    """Makes the step in an environment that asks for such an approval, now as when it was
    planned."""

    def make(settings):
        made = release_in(settings)
        monkeypatch.setattr(environments, "load", lambda: {"dev": made.environment})
        return step(made)

    return make


def release_in(settings):
    release = make_release()
    environment = release.environment.model_copy(update={"approval": settings})
    return release.model_copy(update={"environment": environment})


def step(release):
    return Approve(task_id="approve", release=release.dump(), push={"digest": DIGEST})


def answer(option, who="grace"):
    return {
        "chosen_options": [option],
        "params_input": {},
        "responded_at": NOW,
        "responded_by_user": {"id": f"id-of-{who}", "name": who},
    }


def test_an_environment_without_approval_asks_nobody(task, context):
    assert task(None).execute(context) is None


def test_an_approval_is_recorded_for_the_image_and_the_run(task, context):
    found = task(Approval()).execute_complete(context, answer("Approve"))
    assert (found["approvedBy"], found["subject"], found["runId"]) == ("grace", DIGEST, "run-1")


def test_a_refusal_fails_naming_who_refused(task, context):
    with pytest.raises(NotApproved, match=r"grace refused pricing-quotes 1\.0 for dev") as caught:
        task(Approval()).execute_complete(context, answer("Reject"))
    assert not caught.value.retryable
    assert context["ti"].pushed["error"] == str(caught.value)


def test_without_self_approval_the_requesters_approval_is_asked_again(task, context, monkeypatch):
    asked = []
    monkeypatch.setattr(Approve, "question", lambda self: ("Deploy?", "Really?"))
    monkeypatch.setattr(hitl, "upsert_hitl_detail", lambda **fields: asked.append(fields))
    four_eyes = task(Approval(selfApproval=False, approvers=("id-of-ada", "id-of-grace")))
    with pytest.raises(TaskAwaitingInput):
        four_eyes.execute_complete(context, answer("Approve", "ada"))
    assert [user["id"] for user in asked[0]["assigned_users"]] == ["id-of-ada", "id-of-grace"]
    assert "error" not in context["ti"].pushed
    assert four_eyes.execute_complete(context, answer("Approve"))["approvedBy"] == "grace"
    with pytest.raises(NotApproved, match="ada refused"):
        four_eyes.execute_complete(context, answer("Reject", "ada"))


@pytest.mark.parametrize(
    ("approvers", "said"),
    [(("ada", "grace"), "ada, grace did not answer"), ((), "Nobody answered")],
)
def test_a_timeout_names_who_was_asked_and_for_how_long(task, context, approvers, said):
    event = {"error": "The response timeout has passed.", "error_type": "timeout"}
    settings = Approval(approvers=approvers, timeoutMinutes=5)
    asked = task(settings)
    task(Approval(approvers=("somebody",)))  # changed while the question stood
    with pytest.raises(NotApproved, match=f"{said} within 5 minutes"):
        asked.execute_complete(context, event)


def test_an_approval_by_an_unlisted_user_is_asked_again(task, context, monkeypatch):
    monkeypatch.setattr(Approve, "question", lambda self: ("Deploy?", "Really?"))
    monkeypatch.setattr(hitl, "upsert_hitl_detail", lambda **fields: None)
    listed = task(Approval(approvers=("id-of-grace",)))
    with pytest.raises(TaskAwaitingInput):
        listed.execute_complete(context, answer("Approve", "mallory"))
    assert listed.execute_complete(context, answer("Approve"))["approvedBy"] == "grace"


def test_approvers_come_from_the_present_rules(task, context, monkeypatch):
    monkeypatch.setattr(Approve, "question", lambda self: ("Deploy?", "Really?"))
    monkeypatch.setattr(hitl, "upsert_hitl_detail", lambda **fields: None)
    asked = task(Approval(approvers=("id-of-grace",)))
    task(Approval(approvers=("id-of-ada",)))  # changed while the question stood
    with pytest.raises(TaskAwaitingInput):
        asked.execute_complete(context, answer("Approve"))
    assert asked.execute_complete(context, answer("Approve", "ada"))["approvedBy"] == "ada"


def test_an_exempt_rollback_asks_nobody(task, context):
    rollback = release_in(Approval(exemptRollbacks=True)).model_copy(update={"rollback": True})
    assert step(rollback).execute(context) is None


def dry_run_that(problem, monkeypatch):
    monkeypatch.setattr(Workload, "live", lambda self: None)

    def judge(release, hook, *_):
        hook.changes.append(Change("Deployment", release.name, "create"))
        raise problem

    monkeypatch.setattr(dry_run, "in_cluster", judge)
    monkeypatch.setattr(DryRunHook, "__init__", lambda self, _: setattr(self, "changes", []))


def test_the_question_shows_a_failed_dry_run_with_the_changes_before(task, monkeypatch):
    dry_run_that(ClusterError("The path is taken."), monkeypatch)
    _, body = task(Approval()).question()
    assert "- `Deployment pricing-quotes` would be created" in body
    assert "```\nThe path is taken.\n```" in body


def test_an_unreachable_cluster_is_retried_before_a_person_is_asked(task, context, monkeypatch):
    dry_run_that(ClusterError("It is away.", retryable=True), monkeypatch)
    with pytest.raises(ClusterError, match="It is away"):
        task(Approval()).execute(context)
