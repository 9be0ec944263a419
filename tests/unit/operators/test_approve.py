"""The question to a person, and what becomes of the answer."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from airflow.providers.standard.operators import hitl
from airflow.sdk.exceptions import TaskAwaitingInput
from manifest_engine.domain.environment import Approval
from manifest_engine.domain.errors import NotApproved
from manifest_engine.operators import approve
from manifest_engine.operators.approve import Approve

from tests.unit.domain.releases import DIGEST, make_release

NOW = datetime(2026, 1, 2, tzinfo=UTC)


@pytest.fixture
def context():
    pushed = {}
    ti = SimpleNamespace(
        id="ti-1", xcom_push=lambda key, value: pushed.update({key: value}), pushed=pushed
    )
    return {"ti": ti, "task_instance": ti}


def task(wanted):
    release = make_release()
    environment = release.environment.model_copy(update={"approval": wanted})
    release = release.model_copy(update={"environment": environment})
    return Approve(task_id="approve", release=release.dump(), push={"digest": DIGEST})


def answer(option, who="grace"):
    return {
        "chosen_options": [option],
        "params_input": {},
        "responded_at": NOW,
        "responded_by_user": {"id": "7", "name": who},
    }


def test_an_environment_without_approval_is_not_asked_about(context):
    assert task(None).execute(context) is None


def test_an_approval_is_recorded_for_the_image_and_the_run(context):
    found = task(Approval()).execute_complete(context, answer("Approve"))
    assert (found["approvedBy"], found["digest"], found["runId"]) == ("grace", DIGEST, "run-1")


def test_a_refusal_fails_naming_who_refused(context):
    with pytest.raises(NotApproved, match=r"grace refused pricing-quotes 1\.0 for dev") as caught:
        task(Approval()).execute_complete(context, answer("Reject"))
    assert not caught.value.retryable
    assert context["ti"].pushed["error"] == str(caught.value)


def test_where_four_eyes_are_wanted_the_requesters_approval_is_asked_about_again(
    context, monkeypatch
):
    asked = []
    monkeypatch.setattr(approve, "_live", lambda release: None)
    monkeypatch.setattr(hitl, "upsert_hitl_detail", lambda **fields: asked.append(fields))
    four_eyes = task(Approval(selfApproval=False, approvers=("ada", "grace")))
    with pytest.raises(TaskAwaitingInput):
        four_eyes.execute_complete(context, answer("Approve", "ada"))
    assert [user["id"] for user in asked[0]["assigned_users"]] == ["ada", "grace"]
    assert "error" not in context["ti"].pushed
    assert four_eyes.execute_complete(context, answer("Approve"))["approvedBy"] == "grace"
    with pytest.raises(NotApproved, match="ada refused"):
        four_eyes.execute_complete(context, answer("Reject", "ada"))


@pytest.mark.parametrize(
    ("approvers", "said"),
    [(("ada", "grace"), "ada, grace did not answer"), ((), "Nobody answered")],
)
def test_silence_fails_naming_who_was_asked_and_for_how_long(context, approvers, said):
    event = {"error": "The response timeout has passed.", "error_type": "timeout"}
    wanted = Approval(approvers=approvers, timeoutMinutes=5)
    with pytest.raises(NotApproved, match=f"{said} within 5 minutes"):
        task(wanted).execute_complete(context, event)
