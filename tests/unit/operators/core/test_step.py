"""PostgreSQL can store the error and the result of each step, and both are bounded."""

from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowSkipException
from manifest_engine.domain.core import printable
from manifest_engine.domain.core.errors import BuildError, ClusterError
from manifest_engine.operators.core.step import (
    ERROR_KEY,
    BookkeepingStep,
    StepOperator,
    report_failure,
)

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


class _Bookkeeping(BookkeepingStep):
    error: Exception = ValueError("The disk is full.")

    def run(self, context: Any) -> Any:
        raise self.error


def recorded(error: Exception, *, try_number: int) -> dict[str, str]:
    """The XComs of a bookkeeping step that fails."""
    step, pushed = _Bookkeeping(task_id="record"), dict[str, str]()
    step.error = error
    ti = SimpleNamespace(
        xcom_push=lambda *, key, value: pushed.update({key: value}),
        try_number=try_number,
        max_tries=3,
    )
    step.execute({"ti": ti})  # type: ignore[typeddict-item]
    return pushed


@pytest.mark.parametrize("error", [ValueError("full"), ClusterError("away", retryable=True)])
def test_bookkeeping_is_retried_and_then_skipped(error):
    with pytest.raises(type(error)):
        recorded(error, try_number=3)
    with pytest.raises(AirflowSkipException, match="stays as it is, but record failed"):
        recorded(error, try_number=4)


def test_bookkeeping_with_a_final_error_is_skipped_at_once():
    with pytest.raises(AirflowSkipException, match="stays as it is"):
        recorded(BuildError("no"), try_number=1)


def test_steps_after_a_live_release_or_a_removal_are_bookkeeping():
    from manifest_engine.operators.image.describe_image import DescribeImage
    from manifest_engine.operators.record.record_release import RecordRelease
    from manifest_engine.operators.removal.remove_service import RecordRemoval

    for step in (DescribeImage, RecordRelease, RecordRemoval):
        assert issubclass(step, BookkeepingStep)
