"""The table of an installation's checks."""

from __future__ import annotations

from manifest_engine.domain.doctor import finding as found
from manifest_engine.domain.doctor.finding import MISSING, NOTE, OK, finding

FINDINGS = [
    finding("registry acr", "login", OK, "Accepted."),
    finding("registry acr", "push", MISSING, "No right; give AcrPush."),
    finding("route", "public URL", NOTE, "No answer."),
]


def test_each_check_is_a_line_and_the_counts_are_the_last():
    lines = found.table(FINDINGS).splitlines()
    assert lines[1].split(maxsplit=3) == [
        "missing",
        "registry",
        "acr",
        "push        No right; give AcrPush.",
    ]
    assert lines[-1] == "1 ok, 1 missing, 1 note"


def test_a_missing_thing_makes_the_sentence_and_a_note_does_not():
    assert found.failure("dev", FINDINGS) == (
        "The environment 'dev' cannot be deployed to: registry acr, push: No right; give AcrPush."
    )
    assert found.failure("dev", [FINDINGS[0], FINDINGS[2]]) is None
    report = found.report("dev", FINDINGS)
    assert report["ok"] is False
    assert report["findings"][2]["state"] == NOTE


def test_further_missing_things_are_counted():
    assert found.failure("dev", FINDINGS[1:2] * 3).endswith("And 2 more, see the table.")


def test_text_of_a_server_is_one_bounded_printable_line():
    made = finding("a", "b", MISSING, "\x1b[31mred\n" + "x" * 5_000)
    assert made.text.startswith("red x")
    assert len(made.text) <= 1_000
