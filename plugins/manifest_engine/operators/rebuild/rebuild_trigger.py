"""Waits in the triggerer for a rebuild that a person must let go on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

ASKS = "awaiting_input"
"""Airflow's state of a task that waits for a person."""


class RebuildTrigger(BaseTrigger):
    """Fires once the run is over, or waits for somebody's answer, which may take a day.

    The event is that of Airflow's ``DagStateTrigger``; the run's state in it can be :data:`ASKS`.

    :param dag_id: of the run.
    :param run_id: of the run.
    :param asker: id of the task that asks; a trigger's ``task_id`` is that of the one that waits.
    :param states: of a run that is over.
    :param poll_seconds: between two looks.
    """

    def __init__(
        self, *, dag_id: str, run_id: str, asker: str, states: list[str], poll_seconds: float
    ) -> None:
        super().__init__()
        self.dag_id = dag_id
        self.run_id = run_id
        self.asker = asker
        self.states = states
        self.poll_seconds = poll_seconds

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Class path and arguments, as Airflow stores them."""
        return f"{type(self).__module__}.{type(self).__qualname__}", {
            "dag_id": self.dag_id,
            "run_id": self.run_id,
            "asker": self.asker,
            "states": self.states,
            "poll_seconds": self.poll_seconds,
        }

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Yields the one event."""
        while not (state := await asyncio.to_thread(self._look)):
            await asyncio.sleep(self.poll_seconds)
        yield TriggerEvent((self.serialize()[0], {self.run_id: state}))

    def _look(self) -> str | None:
        from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

        state = RuntimeTaskInstance.get_dagrun_state(dag_id=self.dag_id, run_id=self.run_id)
        if state in self.states:
            return str(state)
        asking = RuntimeTaskInstance.get_ti_count(
            dag_id=self.dag_id, run_ids=[self.run_id], task_ids=[self.asker], states=[ASKS]
        )
        return ASKS if asking else None
