"""Waits in the triggerer for a rollout that takes long."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from manifest_engine.domain.core.errors import ClusterError, StateError
from manifest_engine.domain.workload.rollout import Waiting
from manifest_engine.operators.core.cluster_trigger import ClusterTrigger

if TYPE_CHECKING:
    from manifest_engine.hooks.kubernetes.cluster import ClusterHook
    from manifest_engine.services.lease.service_lease import ServiceLease
    from manifest_engine.services.workload.workload import Workload


class RolloutTrigger(ClusterTrigger):
    """Fires when the rollout of the Deployment of that name is done or has failed.

    :param generation: the one that was applied.
    :param release_hash: of the release that was applied.
    :param run_id: in whose name the service's lease is renewed meanwhile.
    :param requested_by: who is shown as the lease's holder.
    :param force: take over fields that another manager owns, should the release be taken back.
    """

    longest_pause_seconds = 6.0
    """A look costs three requests, and who waits for minutes can wait for seconds."""

    def __init__(
        self,
        *,
        generation: int,
        run_id: str,
        requested_by: str,
        force: bool = False,
        release_hash: str | None = None,
        **where_and_until: Any,
    ) -> None:
        super().__init__(**where_and_until)
        self.generation = generation
        self.run_id = run_id
        self.requested_by = requested_by
        self.force = force
        self.release_hash = release_hash
        self._service: tuple[Workload, ServiceLease] | None = None

    def arguments(self) -> dict[str, Any]:
        return super().arguments() | {
            "generation": self.generation,
            "run_id": self.run_id,
            "requested_by": self.requested_by,
            "force": self.force,
            "release_hash": self.release_hash,
        }

    def settled(self, hook: ClusterHook) -> bool:
        """Renew the lease, and whether the rollout goes on no longer."""
        workload, lease = self._service = self._service or self._open(hook)
        try:
            lease.renew()
            status = workload.rollout.look(self.generation, self.release_hash)
        except StateError as error:
            self.log.warning("%s", error)
            return True  # the task finds out the same, and fails with it
        return not isinstance(status, Waiting)

    async def on_kill(self) -> None:
        """The run was cancelled while it waited: take the rollout back and let others go on.

        Airflow (3.3.2) cancels this as well, once a second for as long as it lasts, and where it
        has just been started the Connection alone takes longer than that.
        """
        ending = asyncio.create_task(self._end())
        while not ending.done():
            with suppress(asyncio.CancelledError):
                await asyncio.shield(ending)

    async def _end(self) -> None:
        service = self._service or self._open(await self.hook())
        await asyncio.to_thread(self._take_back, *service)

    def _open(self, hook: ClusterHook) -> tuple[Workload, ServiceLease]:
        from manifest_engine.services.lease.service_lease import ServiceLease
        from manifest_engine.services.workload.workload import Workload

        where = hook, self.namespace, self.name
        lease = ServiceLease(
            *where, run_id=self.run_id, requested_by=self.requested_by, log=self.log
        )
        return Workload(*where, force=self.force, log=self.log), lease

    def _take_back(self, workload: Workload, lease: ServiceLease) -> None:
        try:
            self.log.info("The task was cancelled. %s", workload.cancel(self.run_id))
        except ClusterError as error:
            self.log.error("What it had begun could not be rolled back: %s", error)
        lease.release()
