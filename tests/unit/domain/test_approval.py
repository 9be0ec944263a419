"""What an approver is shown, and what counts as an approval."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from manifest_engine.domain import approval, resources
from manifest_engine.domain.environment import Approval
from manifest_engine.domain.errors import StateError

from tests.unit.domain.releases import ARTIFACT, DIGEST, make_release

OLD = "sha256:" + "0" * 64


def guarded(wanted=None, **fields):
    release = make_release(**fields)
    environment = release.environment.model_copy(update={"approval": wanted or Approval()})
    return release.model_copy(update={"environment": environment})


def live(**fields):
    return resources.workload(make_release(**fields), OLD, ARTIFACT)[0]


def record(**changes):
    given = {"digest": DIGEST, "run_id": "run-1", "approved_by": "grace"}
    return approval.Approved(**given | changes, approved_at=datetime(2026, 1, 2, tzinfo=UTC)).dump()


def test_the_body_shows_version_digest_and_each_changed_field_and_no_other():
    new = guarded(version="1.1", replicas=3, env={"LEVEL": "debug", "MODE": "a"}, notes="Faster.")
    text = approval.body(new, DIGEST, live(env={"MODE": "a"}))
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    assert rows == [
        "| | live | after |",
        "| version | `1.0` | `1.1` |",
        f"| image digest | `{OLD}` | `{DIGEST}` |",
        "| env.LEVEL | (none) | `debug` |",
        "| replicas | `2` | `3` |",
    ]
    assert "**ada**" in text
    assert "> Faster." in text


def test_the_body_says_when_the_manifest_does_not_change_otherwise():
    assert "No other field" in approval.body(guarded(version="1.1"), DIGEST, live())


def test_the_body_of_a_first_release_says_so():
    assert "first release" in approval.body(guarded(), DIGEST, None)


def test_a_value_cannot_break_the_table():
    text = approval.body(guarded(env={"A": "x`|\n| y | z"}), DIGEST, live())
    assert "| env.A | (none) | `x'\\| \\| y \\| z` |" in text


def test_a_good_record_lets_it_go_on():
    approval.check(record(), guarded(), DIGEST)


def test_an_environment_without_approval_needs_no_record():
    approval.check(None, make_release(), DIGEST)


@pytest.mark.parametrize(
    "data",
    [None, {}, {"chosen_options": ["Approve"]}, record(digest=OLD), record(run_id="run-0")],
)
def test_a_green_task_without_its_record_is_no_approval(data):
    with pytest.raises(StateError, match="nobody has approved sha256:dddddddddddd in this run"):
        approval.check(data, guarded(), DIGEST)


def test_where_four_eyes_are_wanted_the_requesters_approval_counts_for_nothing():
    mine = record(approved_by="ada")
    approval.check(mine, guarded(), DIGEST)
    four_eyes = guarded(Approval(selfApproval=False))
    assert "Asked for by **ada**, who may not approve it;" in approval.body(four_eyes, DIGEST, None)
    approval.check(record(), four_eyes, DIGEST)
    with pytest.raises(StateError, match="ada has asked for this run, and in 'dev' nobody"):
        approval.check(mine, four_eyes, DIGEST)
