"""Base of all steps: reports errors as sentences and retries only retryable errors."""

from __future__ import annotations

import logging
from abc import abstractmethod
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn, cast

from airflow.sdk import BaseOperator
from airflow.sdk.definitions.retry_policy import RetryDecision, RetryPolicy
from airflow.sdk.exceptions import AirflowSkipException, DownstreamTasksSkipped

from manifest_engine.domain.core import printable
from manifest_engine.domain.core.errors import ManifestEngineError

if TYPE_CHECKING:
    from airflow.sdk import Context

ERROR_KEY = "error"
"""XCom key of a failed step's error sentence, for Infra Hub and for people."""
OUTCOME_KEY = "outcome"
"""XCom key of the ``outcome`` of a failed step's error."""
CAUSE_KEY = "cause"
"""XCom key of the class of a failed step's error, for metrics."""

WAITING_KEY = "waiting"
"""XCom key: why pods wait for the cluster; an empty text when they no longer wait."""


@contextmanager
def report_failure(context: Context, log: logging.Logger) -> Iterator[None]:
    """Log a ManifestEngineError as a sentence, store any error as XCom ``error``, and raise again.

    The traceback of a ManifestEngineError is logged at the level DEBUG. Airflow logs the traceback
    of all other errors.
    """
    try:
        yield
    except (AirflowSkipException, DownstreamTasksSkipped):
        raise  # not an error
    except ManifestEngineError as error:
        log.error("%s", error)
        context["ti"].xcom_push(key=ERROR_KEY, value=str(error))
        context["ti"].xcom_push(key=OUTCOME_KEY, value=error.outcome)
        context["ti"].xcom_push(key=CAUSE_KEY, value=type(error).__name__)
        log.debug("The traceback of this error:", exc_info=error)
        raise _without_traceback(error) from error
    except Exception as error:
        sentence = printable.sentence(f"{type(error).__name__}: {error}")
        context["ti"].xcom_push(key=ERROR_KEY, value=sentence)
        raise


def _without_traceback(error: ManifestEngineError) -> ManifestEngineError:
    """The same error, which Airflow logs as one line.

    Airflow (3.3, ``task_runner.py``) logs the traceback of each exception that ends a task, except
    of a SystemExit, whose ``code`` it logs. The retry policy and the callbacks treat both alike.
    """
    kind: Any = type(error)
    kind = type(kind.__name__, (kind, SystemExit), {"__module__": kind.__module__})
    made: Any = kind.__new__(kind)  # without the constructor, whose parameters differ
    made.args = error.args
    made.__dict__ |= error.__dict__
    made.code = str(error).partition("\n")[0]
    return cast(ManifestEngineError, made)


class StepOperator(BaseOperator):
    """A step of a DAG. ``run`` does the work and returns the step's XCom."""

    def execute(self, context: Context) -> Any:
        with report_failure(context, self.log):
            return printable.storable(self.run(context))

    @abstractmethod
    def run(self, context: Context) -> Any:
        """Do the work.

        :raises ManifestEngineError: for an error that a person can fix.
        """


class BookkeepingStep(StepOperator):
    """A step that records what has been done. Its failure does not fail the run.

    Errors are retried as in every step. After the last try, the step ends as skipped, with the
    error in its log and in its XCom ``error``. An Airflow teardown task is no alternative: a run
    that is marked as failed while a teardown task is pending ends as a success, because Airflow
    (3.3, ``api/common/mark_tasks.py``) skips the other tasks and leaves the run to the scheduler.
    """

    def execute(self, context: Context) -> Any:
        """
        :raises AirflowSkipException: when the last try fails.
        """
        try:
            return super().execute(context)
        except (AirflowSkipException, DownstreamTasksSkipped):
            raise
        except Exception as error:
            is_final = isinstance(error, ManifestEngineError) and not error.retryable
            if not is_final and context["ti"].try_number <= context["ti"].max_tries:
                raise
            text = f"What the run has done stays as it is, but {self.task_id} failed: {error}"
            known = isinstance(error, ManifestEngineError)
            self.log.error("%s", printable.sentence(text), exc_info=not known)
            raise AirflowSkipException(printable.sentence(text)) from error


def end_skipping(context: Context, result: Any, tasks: Iterable[str]) -> NoReturn:
    """End a step successfully and skip later tasks.

    A task that skips itself costs 0.3 s; a task skipped here never starts.

    :param result: the step's XCom.
    :param tasks: ids of the tasks to skip.
    :raises DownstreamTasksSkipped: always; Airflow marks the step as a success.
    """
    context["ti"].xcom_push(key="return_value", value=result)
    raise DownstreamTasksSkipped(tasks=sorted(tasks))


class RetryByError(RetryPolicy):
    """Retries a ManifestEngineError only if it is retryable, and all other errors."""

    def evaluate(
        self,
        exception: BaseException,
        try_number: int,
        max_tries: int,
        context: Context | None = None,
    ) -> RetryDecision:
        if isinstance(exception, ManifestEngineError) and not exception.retryable:
            return RetryDecision.fail()  # without a reason, which would be the log's last line
        return RetryDecision.default()

    def serialize(self) -> dict[str, Any]:
        return {}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> RetryByError:
        return cls()
