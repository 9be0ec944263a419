"""When a run needs an approval, and which approvals count."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from manifest_engine.domain.approval import approval
from manifest_engine.domain.core.errors import StateError
from manifest_engine.domain.environment.environment import Approval

from tests.unit.domain.release.releases import DIGEST, make_release
from tests.unit.domain.removal.removals import make_removal

OLD = "sha256:" + "0" * 64


def asking(planned, rule=None):
    """The same plan in an environment that asks for approvals."""
    environment = planned.environment.model_copy(update={"approval": rule or Approval()})
    return planned.model_copy(update={"environment": environment})


def guarded(rule=None, **fields):
    return asking(make_release(**fields), rule)


def record(**changes):
    given = {"subject": DIGEST, "run_id": "run-1", "approved_by": "grace"}
    return approval.Approved(**given | changes, approved_at=datetime(2026, 1, 2, tzinfo=UTC)).dump()


def test_a_valid_record_is_accepted():
    approval.check(record(), guarded(), DIGEST)


def test_an_environment_without_approval_needs_no_record():
    approval.check(None, make_release(), DIGEST)
    approval.check(None, make_removal(), "pricing-quotes")


@pytest.mark.parametrize(
    "data",
    [None, {}, {"chosen_options": ["Approve"]}, record(subject=OLD), record(run_id="run-0")],
)
def test_a_successful_task_without_a_record_is_no_approval(data):
    with pytest.raises(StateError, match="nobody has approved sha256:dddddddddddd in this run"):
        approval.check(data, guarded(), DIGEST)


def test_a_removal_needs_a_record_of_its_service_in_its_run():
    removal = asking(make_removal())
    approval.check(record(subject="pricing-quotes"), removal, "pricing-quotes")
    for data in (None, record(), record(subject="pricing-quotes", run_id="run-0")):
        with pytest.raises(StateError, match="the removal of pricing-quotes in this run, so noth"):
            approval.check(data, removal, "pricing-quotes")


def test_without_self_approval_the_requesters_approval_does_not_count():
    mine = record(approved_by="ada")
    approval.check(mine, guarded(), DIGEST)
    four_eyes = guarded(Approval(selfApproval=False))
    approval.check(record(), four_eyes, DIGEST)
    with pytest.raises(StateError, match="ada has asked for this run, and in 'dev' nobody"):
        approval.check(mine, four_eyes, DIGEST)


def test_a_rollback_needs_an_approval_unless_exempted():
    rollback = make_release().model_copy(update={"rollback": True})
    assert not approval.is_needed(rollback)
    assert approval.is_needed(asking(rollback))
    exempt = Approval(exemptRollbacks=True)
    assert not approval.is_needed(asking(rollback, exempt))
    assert approval.is_needed(guarded(exempt))
    assert approval.is_needed(asking(make_removal(), exempt))
