"""Waits in the triggerer for a slow rollout."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from manifest_engine.domain.core.errors import ClusterError, StateError
from manifest_engine.domain.drift.drift import Policy
from manifest_engine.domain.workload import rollout
from manifest_engine.operators.core.cluster_trigger import ClusterTrigger
from manifest_engine.operators.core.step import WAITING_KEY

if TYPE_CHECKING:
    from manifest_engine.hooks.kubernetes.cluster import ClusterHook
    from manifest_engine.services.lease.service_lease import ServiceLease
    from manifest_engine.services.workload.workload import Workload


class RolloutTrigger(ClusterTrigger):
    """Fires when the new pods of a Deployment serve, or the rollout has failed.

    Meanwhile the trigger renews the lease, and logs what the pods do.

    :param generation: generation of the Deployment after the apply.
    :param release_hash: hash of the applied release.
    :param run_id: run that holds the lease.
    :param requested_by: user that the lease shows beside the run.
    :param drift: ``cluster.drift`` of the environment, for a rollback.
    """

    longest_pause_seconds = 6.0
    """One check costs four requests."""

    def __init__(
        self,
        *,
        generation: int,
        run_id: str,
        requested_by: str,
        drift: str = Policy.drift,
        release_hash: str | None = None,
        **where_and_until: Any,
    ) -> None:
        super().__init__(**where_and_until)
        self.generation = generation
        self.run_id = run_id
        self.requested_by = requested_by
        self.drift = drift
        self.release_hash = release_hash
        self._service: tuple[Workload, ServiceLease] | None = None

    def arguments(self) -> dict[str, Any]:
        return super().arguments() | {
            "generation": self.generation,
            "run_id": self.run_id,
            "requested_by": self.requested_by,
            "drift": self.drift,
            "release_hash": self.release_hash,
        }

    def settled(self, hook: ClusterHook) -> bool:
        """Renew the lease, and check whether the new pods serve or the rollout has failed."""
        workload, lease = self._service = self._service or self._open(hook)
        try:
            lease.renew()
            status = workload.rollout.look(self.generation, self.release_hash)
        except StateError as error:
            self.log.warning("%s", error)
            return True  # the task reads the same state and raises the error
        return rollout.is_over(status, until_serving=True)

    def _report_pending(self, reason: str) -> None:
        """Store the reason why pods wait as an XCom of the task; never fails the wait."""
        from airflow.sdk.execution_time.xcom import XCom

        if not (instance := self.task_instance):
            return
        try:
            XCom.set(
                WAITING_KEY,
                reason,
                dag_id=instance.dag_id,
                task_id=instance.task_id,
                run_id=instance.run_id,
                map_index=instance.map_index,
            )
        except Exception as error:
            self.log.warning("The reason of the wait is not stored: %s", error)

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
        workload = Workload(*where, policy=Policy(self.drift), log=self.log)
        workload.rollout.on_pending = self._report_pending
        return workload, lease

    def _cancel(self, workload: Workload, lease: ServiceLease) -> None:
        try:
            self.log.info("The task was cancelled. %s", workload.cancel(self.run_id))
        except ClusterError as error:
            self.log.error("The unfinished rollout could not be rolled back: %s", error)
        lease.release()
