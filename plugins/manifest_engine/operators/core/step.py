"""What all steps share: an error is told as a sentence, and tells whether a retry can mend it."""

from __future__ import annotations

import logging
from abc import abstractmethod
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn

from airflow.sdk import BaseOperator
from airflow.sdk.definitions.retry_policy import RetryDecision, RetryPolicy
from airflow.sdk.exceptions import AirflowSkipException, DownstreamTasksSkipped

from manifest_engine.domain.core import printable
from manifest_engine.domain.core.errors import ManifestEngineError

if TYPE_CHECKING:
    from airflow.sdk import Context

ERROR_KEY = "error"
"""XCom key under which a failed step leaves its sentence, for Infra Hub and for people."""


@contextmanager
def report_failure(context: Context, log: logging.Logger) -> Iterator[None]:
    """Log an error of ours as one line and leave it as XCom ``error``, then let it pass."""
    try:
        yield
    except (AirflowSkipException, DownstreamTasksSkipped):
        raise  # no error
    except ManifestEngineError as error:
        log.error("%s", error)
        context["ti"].xcom_push(key=ERROR_KEY, value=str(error))
        raise
    except Exception as error:
        sentence = printable.sentence(f"{type(error).__name__}: {error}")
        context["ti"].xcom_push(key=ERROR_KEY, value=sentence)
        raise


class StepOperator(BaseOperator):
    """A step of the flow. ``run`` does the work; what it returns is the step's XCom."""

    def execute(self, context: Context) -> Any:
        with report_failure(context, self.log):
            return printable.storable(self.run(context))

    @abstractmethod
    def run(self, context: Context) -> Any:
        """Do the step. Raises ManifestEngineError for everything a person can mend."""


def end_skipping(context: Context, result: Any, tasks: Iterable[str]) -> NoReturn:
    """End a step with its result and skip later tasks at once.

    A task that is skipped so never starts; one that starts to skip itself costs 0.3 s.

    :param tasks: ids of the tasks to skip.
    :raises DownstreamTasksSkipped: always; Airflow ends the step as a success.
    """
    context["ti"].xcom_push(key="return_value", value=result)
    raise DownstreamTasksSkipped(tasks=sorted(tasks))


class RetryByError(RetryPolicy):
    """Errors of ours say themselves whether a retry can mend them; all others may be retried."""

    def evaluate(
        self,
        exception: BaseException,
        try_number: int,
        max_tries: int,
        context: Context | None = None,
    ) -> RetryDecision:
        if isinstance(exception, ManifestEngineError) and not exception.retryable:
            return RetryDecision.fail("no retry can mend this")
        return RetryDecision.default()

    def serialize(self) -> dict[str, Any]:
        return {}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> RetryByError:
        return cls()
