"""Waits in the triggerer for a rollout that takes long."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from manifest_engine.domain.rollout import Waiting
from manifest_engine.operators.cluster_trigger import ClusterTrigger

if TYPE_CHECKING:
    from manifest_engine.hooks.cluster import ClusterHook
    from manifest_engine.hooks.service_lease import ServiceLease


class RolloutTrigger(ClusterTrigger):
    """Fires when the rollout of the Deployment of that name is done or has failed.

    :param generation: the one that was applied.
    :param run_id: in whose name the service's lease is renewed meanwhile.
    :param requested_by: who is shown as the lease's holder.
    """

    longest_pause_seconds = 6.0
    """A look costs three requests, and who waits for minutes can wait for seconds."""

    def __init__(
        self, *, generation: int, run_id: str, requested_by: str, **where_and_until: Any
    ) -> None:
        super().__init__(**where_and_until)
        self.generation = generation
        self.run_id = run_id
        self.requested_by = requested_by
        self._lease: ServiceLease | None = None

    def arguments(self) -> dict[str, Any]:
        return super().arguments() | {
            "generation": self.generation,
            "run_id": self.run_id,
            "requested_by": self.requested_by,
        }

    def settled(self, hook: ClusterHook) -> bool:
        """Renew the lease, and whether the rollout goes on no longer."""
        from manifest_engine.hooks.rollout_watch import RolloutWatch
        from manifest_engine.hooks.service_lease import ServiceLease

        where = hook, self.namespace, self.name
        if self._lease is None:
            self._lease = ServiceLease(
                *where, run_id=self.run_id, requested_by=self.requested_by, log=self.log
            )
        self._lease.renew()
        status = RolloutWatch(*where, self.log).look(self.generation)
        return not isinstance(status, Waiting)

    async def on_kill(self) -> None:
        """The run was cancelled while it waited: let others go on."""
        if self._lease is not None:
            await asyncio.to_thread(self._lease.give_back)
