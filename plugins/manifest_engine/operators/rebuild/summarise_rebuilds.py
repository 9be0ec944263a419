"""Step ``summarise``: shows the outcome of each service as a table, failures first."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from manifest_engine.domain.core.errors import StateError
from manifest_engine.domain.rebuild import table as rebuild_table
from manifest_engine.domain.rebuild.table import FAILED, Row
from manifest_engine.operators.core.step import StepOperator
from manifest_engine.operators.rebuild.plan_rebuilds import ROWS
from manifest_engine.operators.rebuild.rebuild_service import ROW

if TYPE_CHECKING:
    from airflow.sdk import Context


class SummariseRebuilds(StepOperator):
    """Log the table after all services are done. The run fails if a service failed.

    XCom: ``table`` with ``counts`` and ``rows``, failures first.

    :param plan: id of the task ``plan``.
    :param rebuild: id of the mapped task ``rebuild``.
    """

    def __init__(self, *, plan: str, rebuild: str, **kwargs: Any) -> None:
        super().__init__(trigger_rule="all_done", **kwargs)
        self.plan = plan
        self.rebuild = rebuild

    def run(self, context: Context) -> dict[str, Any]:
        """
        :raises StateError: naming the first failed service and the number of other failed services.
        """
        ti: Any = context["ti"]
        planned = ti.xcom_pull(task_ids=self.plan, key=ROWS)
        if planned is None:
            raise StateError(f"Nothing was planned; see why the task {self.plan} failed.")
        # One request for all mapped tasks.
        done = {_key(row): row for row in ti.xcom_pull(task_ids=[self.rebuild], key=ROW) if row}
        rows = [_ended(rebuild_table.load(row), done.get(_key(row))) for row in planned]
        self.log.info("Outcome of each service:\n%s", rebuild_table.text(rows))
        counts = rebuild_table.counts(rows)
        listed = [row.dump() for row in rebuild_table.ordered(rows)]
        ti.xcom_push(key="table", value={"counts": counts, "rows": listed})
        if sentence := rebuild_table.failure(rows):
            raise StateError(sentence)
        return counts


def _key(row: dict[str, Any]) -> tuple[str, str]:
    return row["service"], row["environment"]


def _ended(planned: Row, done: dict[str, Any] | None) -> Row:
    """The row with its outcome, and with the reason for the rebuild if no other sentence is set."""
    if planned.outcome:
        return planned
    if done is None:
        text = (
            "Its task ended without a result; see the log of the mapped task "
            f"'{planned.service} in {planned.environment}'."
        )
        return replace(planned, outcome=FAILED, sentence=text)
    ended = rebuild_table.load(done)
    return replace(ended, sentence=ended.sentence or planned.sentence)
