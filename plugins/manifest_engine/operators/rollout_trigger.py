"""Waits for a rollout in the triggerer, where waiting holds no worker slot.

Nothing but names stands in the trigger, so it survives a restart and holds no secret.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseHook
from airflow.triggers.base import BaseTrigger, TriggerEvent

if TYPE_CHECKING:
    from manifest_engine.hooks.service_lease import ServiceLease

FIRST_PAUSE_SECONDS = 2.0
LONGEST_PAUSE_SECONDS = 6.0
"""The pauses grow: a look costs three requests, and who waits for minutes can wait for seconds."""


class RolloutTrigger(BaseTrigger):
    """Fires when the rollout is done or has failed, or when its time is over.

    The event only wakes the task, which judges anew what the cluster then shows.

    :param conn_id: Airflow Connection of the cluster.
    :param namespace: of the Deployment.
    :param name: of the Deployment.
    :param generation: the one that was applied.
    :param deadline: seconds since the epoch after which the wait is over.
    :param run_id: in whose name the service's lease is renewed meanwhile.
    :param requested_by: who is shown as the lease's holder.
    """

    def __init__(
        self,
        *,
        conn_id: str,
        namespace: str,
        name: str,
        generation: int,
        deadline: float,
        run_id: str,
        requested_by: str,
    ) -> None:
        super().__init__()
        self.conn_id = conn_id
        self.namespace = namespace
        self.name = name
        self.generation = generation
        self.deadline = deadline
        self.run_id = run_id
        self.requested_by = requested_by
        self._lease: ServiceLease | None = None

    async def on_kill(self) -> None:
        """The run was cancelled while it waited: let others go on."""
        if self._lease is not None:
            await asyncio.to_thread(self._lease.give_back)

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Class path and arguments, as Airflow stores them."""
        return (
            f"{type(self).__module__}.{type(self).__qualname__}",
            {
                "conn_id": self.conn_id,
                "namespace": self.namespace,
                "name": self.name,
                "generation": self.generation,
                "deadline": self.deadline,
                "run_id": self.run_id,
                "requested_by": self.requested_by,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look every few seconds; an API server that is away for a while is waited for."""
        from manifest_engine.domain.errors import ClusterError
        from manifest_engine.domain.rollout import Waiting
        from manifest_engine.hooks.cluster import ClusterHook
        from manifest_engine.hooks.rollout_watch import RolloutWatch
        from manifest_engine.hooks.service_lease import ServiceLease

        connection = await BaseHook.aget_connection(self.conn_id)
        hook = ClusterHook(self.conn_id, connection=connection)
        watch = RolloutWatch(hook, self.namespace, self.name, logging.getLogger(__name__))
        lease = self._lease = ServiceLease(
            hook,
            self.namespace,
            self.name,
            run_id=self.run_id,
            requested_by=self.requested_by,
            log=logging.getLogger(__name__),
        )
        pause = FIRST_PAUSE_SECONDS
        while time.time() < self.deadline:
            try:
                await asyncio.to_thread(lease.renew)
                status = await asyncio.to_thread(watch.look, self.generation)
            except ClusterError as error:
                if not error.retryable:
                    yield TriggerEvent({"state": "refused", "text": str(error)})
                    return
                self.log.warning("%s", error)
            else:
                if not isinstance(status, Waiting):
                    yield TriggerEvent({"state": "settled"})
                    return
            await asyncio.sleep(pause)
            pause = min(1.5 * pause, LONGEST_PAUSE_SECONDS)
        yield TriggerEvent({"state": "time is over"})
