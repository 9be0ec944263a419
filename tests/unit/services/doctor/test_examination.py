"""Checks run side by side, and none of them holds up the table."""

from __future__ import annotations

import threading
import time

from manifest_engine.domain.core.errors import ConfigurationError
from manifest_engine.domain.doctor.finding import MISSING, NOTE, OK, NotNeeded
from manifest_engine.services.doctor.examination import Check, examine


def refuse(error: Exception):
    def run() -> str:
        raise error

    return run


def states(parts, **limits):
    return [(item.check, item.state) for item in examine(parts, **limits)]


def test_the_outcome_of_a_check_is_its_state_and_errors_of_libraries_count():
    checks = [
        Check("one", lambda: "fine"),
        Check("two", refuse(ConfigurationError("Wrong."))),
        Check("three", refuse(NotNeeded("Cannot be checked."))),
        Check("four", refuse(KeyError("x"))),
    ]
    assert states({"part": checks}) == [
        ("one", OK), ("two", MISSING), ("three", NOTE), ("four", MISSING),
    ]  # fmt: skip


def test_after_a_failed_gate_the_other_checks_of_the_part_are_not_run():
    gate = Check("Connection", refuse(ConfigurationError("Missing.")), gate=True)
    checks = {"a": [gate, Check("login", refuse(AssertionError()))], "b": [Check("x", lambda: "")]}
    found = examine(checks)
    assert [item.state for item in found] == [MISSING, NOTE, OK]
    assert "earlier check of this part failed" in found[1].text


def test_a_check_that_never_ends_is_missing_and_the_next_one_still_runs():
    forever = threading.Event()
    checks = [Check("slow", lambda: str(forever.wait(30))), Check("next", lambda: "fine")]
    begin = time.monotonic()
    assert states({"part": checks}, each_seconds=0.1) == [("slow", MISSING), ("next", OK)]
    assert time.monotonic() - begin < 5
    forever.set()


def test_all_checks_together_have_a_limit():
    forever = threading.Event()
    checks = [Check("slow", lambda: str(forever.wait(30)))]
    found = examine({"part": checks}, all_seconds=0.1)
    assert [item.state for item in found] == [NOTE]
    assert "limit of 0 s" in found[0].text
    forever.set()
