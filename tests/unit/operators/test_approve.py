"""The question to a person, and what becomes of the answer."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from manifest_engine.domain.environments import Approval
from manifest_engine.domain.errors import NotApproved
from manifest_engine.operators.approve import Approve

from tests.unit.domain.releases import DIGEST, make_release

NOW = datetime(2026, 1, 2, tzinfo=UTC)


@pytest.fixture
def context():
    pushed = {}
    ti = SimpleNamespace(xcom_push=lambda key, value: pushed.update({key: value}), pushed=pushed)
    return {"ti": ti}


def task(wanted):
    release = make_release()
    environment = release.environment.model_copy(update={"approval": wanted})
    release = release.model_copy(update={"environment": environment})
    return Approve(task_id="approve", release=release.dump(), push={"digest": DIGEST})


def answer(option):
    return {
        "chosen_options": [option],
        "params_input": {},
        "responded_at": NOW,
        "responded_by_user": {"id": "7", "name": "grace"},
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


@pytest.mark.parametrize(
    ("approvers", "said"),
    [(("ada", "grace"), "ada, grace did not answer"), ((), "Nobody answered")],
)
def test_silence_fails_naming_who_was_asked_and_for_how_long(context, approvers, said):
    event = {"error": "The response timeout has passed.", "error_type": "timeout"}
    wanted = Approval(approvers=approvers, timeoutMinutes=5)
    with pytest.raises(NotApproved, match=f"{said} within 5 minutes"):
        task(wanted).execute_complete(context, event)
