"""A step that changes one service in a cluster while it holds the service's lease."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from manifest_engine.domain.core.errors import Cancelled
from manifest_engine.domain.drift.drift import Policy
from manifest_engine.operators.core.cluster_trigger import LeaseTrigger
from manifest_engine.operators.core.step import StepOperator, report_failure

if TYPE_CHECKING:
    from airflow.sdk import Context

    from manifest_engine.domain.release.release import Release
    from manifest_engine.domain.removal.removal import Removal
    from manifest_engine.services.lease.service_lease import ServiceLease
    from manifest_engine.services.workload.workload import Workload

_LEASE_SECONDS = 3600.0
"""Longest wait of one trigger. The task then tries again, until the run times out."""


class LeaseStep(StepOperator):
    """Waits for the lease in the triggerer, where the wait holds no worker slot.

    The lease stays acquired for the next steps. A failure or a cancellation of the task releases
    the lease (:func:`released_on_failure`).
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._lease: ServiceLease | None = None

    def service(self, planned: Release | Removal) -> tuple[Workload, ServiceLease]:
        """The service's objects and its lease. Following a rollout renews the lease."""
        from manifest_engine.services.lease.service_lease import ServiceLease
        from manifest_engine.services.workload.workload import Workload

        policy = Policy.of(planned)
        workload = Workload.of(planned.environment, planned.name, policy=policy, log=self.log)
        self._lease = ServiceLease(
            workload.hook,
            workload.namespace,
            workload.name,
            run_id=planned.run_id,
            requested_by=planned.requested_by,
            log=self.log,
        )
        workload.rollout.on_look = self._lease.renew
        return workload, self._lease

    def acquire(self, lease: ServiceLease, planned: Release | Removal) -> None:
        """Acquire the lease.

        :raises TaskDeferred: while another run holds the lease; :meth:`run` starts again later.
        """
        holder = lease.acquire()
        if holder is None:
            return
        self.log.info("Waiting for another deployment of %s: %s", planned.name, holder)
        cluster = planned.environment.cluster
        self.defer(
            trigger=LeaseTrigger(
                conn_id=cluster.connection,
                namespace=cluster.namespace,
                name=planned.name,
                deadline=time.time() + _LEASE_SECONDS,
            ),
            method_name="execute_with_lease",
        )

    def execute_with_lease(self, context: Context, event: dict[str, Any]) -> Any:
        """Run the step again after the wait for the lease."""
        with report_failure(context, self.log):
            return self.run(context)

    def on_kill(self) -> None:
        """Interrupt :meth:`run`, which then releases the lease.

        Otherwise Airflow lets the task continue for 5 s, in which the task could change the cluster
        and acquire the lease again.

        :raises Cancelled: always.
        """
        raise Cancelled("The task was cancelled.")


@contextmanager
def released_on_failure(lease: ServiceLease) -> Iterator[None]:
    """Release the lease on an exception.

    ``TaskDeferred`` derives from BaseException, so a deferral keeps the lease.
    """
    try:
        yield
    except Exception:
        lease.release()
        raise
