"""PostgreSQL can store the error and the result of each step, and both are bounded."""

from __future__ import annotations

import logging
import signal
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowSkipException
from airflow.sdk.execution_time import task_runner
from manifest_engine.domain.core import printable
from manifest_engine.domain.core.errors import BuildError, ClusterError, NothingHandedOver
from manifest_engine.operators.core.step import (
    ERROR_KEY,
    BookkeepingStep,
    RetryByError,
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


class _Failing(StepOperator):
    error: Exception

    def run(self, context: Any) -> Any:
        raise self.error


class _Log:
    """Airflow's log of a task."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str, Any]] = []

    def __getattr__(self, level: str) -> Any:
        return lambda event, **more: self.lines.append((level, event, more.get("exit_code")))


def airflow_runs(error: Exception, monkeypatch, *, should_retry: bool) -> tuple[Any, str, _Log]:
    """Airflow's own code runs a task that fails; the error, the task's state and its log."""
    step, log, pushed = _Failing(task_id="build", retry_policy=RetryByError()), _Log(), {}
    step.error = error
    server = SimpleNamespace(xcom_keys_to_clear=(), max_tries=3, should_retry=should_retry)
    ti = SimpleNamespace(
        task=step,
        xcom_push=lambda *, key, value: pushed.update({key: value}),
        try_number=1,
        rendered_map_index=None,
        stats_tags={},
        _ti_context_from_server=server,
        _failure_metrics_emitted=True,
    )
    monkeypatch.setattr(task_runner, "_prepare", lambda *_: None)
    monkeypatch.setattr(task_runner, "_execute_task", lambda context, **_: step.execute(context))
    before = signal.getsignal(signal.SIGTERM)
    context: Any = {"ti": ti, "map_index_template": None}
    try:
        state, _, found = task_runner._run_task_and_map_outcome(ti, context, log)  # type: ignore[arg-type]
    finally:
        signal.signal(signal.SIGTERM, before)
    assert pushed[ERROR_KEY].endswith(str(error))
    return found, state.value, log


@pytest.mark.parametrize(
    ("error", "should_retry", "state"),
    [
        (BuildError("pip finds no flask==99.\nStep 3 of 5"), True, "failed"),
        (ClusterError("The cluster is away.", retryable=True), True, "up_for_retry"),
        (ClusterError("The cluster is away.", retryable=True), False, "failed"),
        (NothingHandedOver("digest", "push_image"), True, "failed"),
    ],
)
def test_an_error_with_a_sentence_ends_the_log_without_a_traceback(
    error, should_retry, state, monkeypatch, capsys
):
    found, ended, log = airflow_runs(error, monkeypatch, should_retry=should_retry)
    assert ended == state
    said = capsys.readouterr().out
    assert said.count(str(error)) == 1
    assert "Traceback" not in said
    assert ("error", "Task exited", str(error).splitlines()[0]) in log.lines
    assert "exception" not in [level for level, *_ in log.lines]
    assert log.lines[-1][1] == "::group::Post Execute"
    # What a callback gets is still the error.
    assert isinstance(found, type(error))
    assert (str(found), found.retryable) == (str(error), error.retryable)


def test_an_unexpected_error_keeps_its_traceback(monkeypatch):
    found, ended, log = airflow_runs(ValueError("a bug"), monkeypatch, should_retry=True)
    assert (type(found), ended) == (ValueError, "up_for_retry")
    assert ("exception", "Task failed with exception", None) in log.lines


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
