"""Waits in the triggerer for a slow rollout."""

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
    """Fires when the rollout of a Deployment is done or has failed; renews the lease meanwhile.

    :param generation: generation of the Deployment after the apply.
    :param release_hash: hash of the applied release.
    :param run_id: run that holds the lease.
    :param requested_by: user that the lease shows beside the run.
    :param force: take over fields that another manager owns, in a rollback.
    """

    longest_pause_seconds = 6.0
    """One check costs three requests."""

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
        """Renew the lease, and check whether the rollout has ended."""
        workload, lease = self._service = self._service or self._open(hook)
        try:
            lease.renew()
            status = workload.rollout.look(self.generation, self.release_hash)
        except StateError as error:
            self.log.warning("%s", error)
            return True  # the task reads the same state and raises the error
        return not isinstance(status, Waiting)

    async def on_kill(self) -> None:
        """Undo the rollout of a cancelled run, and release the lease.

        Airflow 3.3.2 also cancels this method, once a second until the method ends. In a triggerer
        that has just started, loading the Connection alone takes longer than a second.
        """
        ending = asyncio.create_task(self._end())
        while not ending.done():
            with suppress(asyncio.CancelledError):
                await asyncio.shield(ending)

    async def _end(self) -> None:
        service = self._service or self._open(await self.hook())
        await asyncio.to_thread(self._cancel, *service)

    def _open(self, hook: ClusterHook) -> tuple[Workload, ServiceLease]:
        from manifest_engine.services.lease.service_lease import ServiceLease
        from manifest_engine.services.workload.workload import Workload

        where = hook, self.namespace, self.name
        lease = ServiceLease(
            *where, run_id=self.run_id, requested_by=self.requested_by, log=self.log
        )
        return Workload(*where, force=self.force, log=self.log), lease

    def _cancel(self, workload: Workload, lease: ServiceLease) -> None:
        try:
            self.log.info("The task was cancelled. %s", workload.cancel(self.run_id))
        except ClusterError as error:
            self.log.error("What it had begun could not be rolled back: %s", error)
        lease.release()
