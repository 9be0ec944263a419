"""A run that is cancelled while its rollout waits in the triggerer."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from manifest_engine.operators.workload.rollout_trigger import RolloutTrigger


class Ending(RolloutTrigger):
    """A trigger whose Connection loads slowly, as in a triggerer that has just started."""

    def __init__(self):
        super().__init__(
            generation=1, run_id="run", requested_by="ada", conn_id="it", namespace="apps",
            name="a-b", deadline=0,
        )  # fmt: skip
        self.ended = False

    async def hook(self):
        await asyncio.sleep(0.2)
        return object()

    def _cancel(self, workload, lease):
        self.ended = lease.run_id == "run"


def test_repeated_cancellation_does_not_stop_the_rollback():
    async def killed(trigger):
        ending = asyncio.create_task(trigger.on_kill())
        for _ in range(3):  # what Airflow does with every look at its triggers
            await asyncio.sleep(0.02)
            ending.cancel()
        with suppress(asyncio.CancelledError):
            await ending

    trigger = Ending()
    asyncio.run(killed(trigger))
    assert trigger.ended
