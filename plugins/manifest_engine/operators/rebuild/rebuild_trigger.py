"""Waits in the triggerer for a ``deploy_service`` run that a rebuild started."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

DAG_ID = "deploy_service"
ASKS = "awaiting_input"
"""Airflow's state of a task that waits for a person."""
POLL_SECONDS = 5
_ASKER = "approve"
"""Task of ``deploy_service`` that waits for a person."""
_OVER = ("success", "failed")


class RebuildTrigger(BaseTrigger):
    """Fires when the run has ended or waits for approval, which may take a day.

    Airflow's ``DagStateTrigger`` does not see the wait, because the run's state stays ``running``.
    The event has the format of ``DagStateTrigger``, with :data:`ASKS` as state of a waiting run.

    :param run_id: id of the run.
    """

    def __init__(self, *, run_id: str) -> None:
        super().__init__()
        self.run_id = run_id

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Class path and arguments, as Airflow stores them."""
        return f"{type(self).__module__}.{type(self).__qualname__}", {"run_id": self.run_id}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Yields one event."""
        while not (state := await asyncio.to_thread(self._look)):
            await asyncio.sleep(POLL_SECONDS)
        yield TriggerEvent((self.serialize()[0], {self.run_id: state}))

    def _look(self) -> str | None:
        from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

        state = RuntimeTaskInstance.get_dagrun_state(dag_id=DAG_ID, run_id=self.run_id)
        if state in _OVER:
            return str(state)
        asking = RuntimeTaskInstance.get_ti_count(
            dag_id=DAG_ID, run_ids=[self.run_id], task_ids=[_ASKER], states=[ASKS]
        )
        return ASKS if asking else None
