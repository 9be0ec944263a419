"""The command's own rules; what it reads is tested end to end."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime, timedelta

import pytest
from manifest_engine import audit

NOW = datetime(2026, 1, 10, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("90m", NOW - timedelta(minutes=90)),
        ("24h", NOW - timedelta(hours=24)),
        ("7d", NOW - timedelta(days=7)),
        ("2026-01-02", datetime(2026, 1, 2, tzinfo=UTC)),
        ("2026-01-02T03:00:00+02:00", datetime(2026, 1, 2, 1, tzinfo=UTC)),
    ],
)
def test_since_is_a_span_or_a_moment(text, moment):
    assert audit.since(text, NOW) == moment


def test_anything_else_is_refused_with_examples():
    with pytest.raises(argparse.ArgumentTypeError, match="neither 90m"):
        audit.since("yesterday", NOW)


def test_an_airflow_that_does_not_answer_is_a_sentence(monkeypatch, capsys):
    monkeypatch.setenv("AIRFLOW_URL", "http://127.0.0.1:9")
    monkeypatch.delenv("AIRFLOW_TOKEN", raising=False)
    assert audit.main(["--since", "1h"]) == 1
    assert capsys.readouterr().err.startswith("audit: Airflow at http://127.0.0.1:9 does not")
