"""The table and the summary of a nightly run."""

from __future__ import annotations

from manifest_engine.domain.rebuild import table as rebuild_table
from manifest_engine.domain.rebuild.table import FAILED, REBUILT, SKIPPED, UNCHANGED, Row

ROWS = [
    Row("a-one", "dev", UNCHANGED),
    Row("a-two", "dev", REBUILT, "python has changed."),
    Row("b-three", "prod", FAILED, "It does not\nbuild."),
    Row("b-four", "dev", SKIPPED, "It is being removed."),
]


def test_failures_come_first_and_each_row_is_one_line():
    assert rebuild_table.text(ROWS).splitlines() == [
        "failed     prod  b-three  It does not build.",
        "rebuilt    dev   a-two    python has changed.",
        "skipped    dev   b-four   It is being removed.",
        "unchanged  dev   a-one",
        "1 rebuilt, 1 unchanged, 1 failed, 1 skipped",
    ]


def test_an_empty_table_says_that_nothing_is_deployed():
    assert rebuild_table.text([]) == "No service is deployed there."


def test_the_error_of_a_run_names_the_first_failure():
    assert rebuild_table.failure(ROWS[:2]) is None
    found = rebuild_table.failure([*ROWS, Row("z-five", "prod", FAILED, "No.")])
    assert found.startswith("2 services could not be rebuilt: b-three in prod: It does not")
    assert found.endswith("; and 1 more, see the table")


def test_a_row_survives_xcom():
    assert [rebuild_table.load(row.dump()) for row in ROWS] == ROWS
