"""PostgreSQL can store the error and the result of each step, and both are bounded."""

from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import Any

import pytest
from manifest_engine.domain.core import printable
from manifest_engine.domain.core.errors import BuildError
from manifest_engine.operators.core.step import ERROR_KEY, StepOperator, report_failure

HOSTILE = "exit code 1\0\x1b[31m\ud83d\u202e" + "x" * 1_000_000


class _Step(StepOperator):
    def run(self, context: Any) -> Any:
        return {"log\0": ["a\0b"]}


@pytest.mark.parametrize("kind", [BuildError, ValueError])
def test_the_error_sentence_is_printable_and_bounded(kind, caplog):
    pushed: dict[str, str] = {}
    ti = SimpleNamespace(xcom_push=lambda *, key, value: pushed.update({key: value}))
    with (
        caplog.at_level(logging.ERROR),
        pytest.raises(kind),
        report_failure({"ti": ti}, logging.getLogger("step")),  # type: ignore[typeddict-item]
    ):
        raise kind(HOSTILE)
    said = pushed[ERROR_KEY]
    assert "exit code 1" in said
    for text in (said, caplog.text):
        assert len(text) <= printable.SENTENCE_MAX + 100
        assert printable.unprintable(text) is None


def test_the_xcom_of_a_step_is_storable():
    assert _Step(task_id="x").execute({}) == {"log\ufffd": ["a\ufffdb"]}  # type: ignore[typeddict-item]
