"""A step that changes one service in a cluster while it holds the service's lease."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from manifest_engine.domain.core.errors import Cancelled
from manifest_engine.operators.core.cluster_trigger import LeaseTrigger
from manifest_engine.operators.core.step import StepOperator, report_failure

if TYPE_CHECKING:
    from airflow.sdk import Context

    from manifest_engine.domain.release.release import Release
    from manifest_engine.domain.removal.removal import Removal
    from manifest_engine.services.lease.service_lease import ServiceLease
    from manifest_engine.services.workload.workload import Workload

_LEASE_SECONDS = 3600.0
"""After which the task looks for itself again; the run's own timeout ends the wait for good."""


class LeaseStep(StepOperator):
    """Waits for the lease in the triggerer, where waiting holds no worker slot.

    The lease is kept for the steps that follow; a failure gives it back, and so does the end of the
    task from outside, which is one (:func:`released_on_failure`).
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._lease: ServiceLease | None = None

    def service(self, planned: Release | Removal) -> tuple[Workload, ServiceLease]:
        """The service's objects and its lease, which is renewed while a rollout is followed."""
        from manifest_engine.services.lease.service_lease import ServiceLease
        from manifest_engine.services.workload.workload import Workload

        workload = Workload.of(planned.environment, planned.name, log=self.log)
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
        """Take the lease.

        :raises TaskDeferred: while another run has it; :meth:`run` begins anew afterwards.
        """
        holder = lease.acquire()
        if holder is None:
            return
        self.log.info("Waiting for a deployment of %s that goes on: %s", planned.name, holder)
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
        """After the wait for the lease in the triggerer: try again."""
        with report_failure(context, self.log):
            return self.run(context)

    def on_kill(self) -> None:
        """End :meth:`run` right where it is; it gives the lease back.

        Airflow itself lets a task go on for 5 s after this, in which it would change the cluster
        further and take the lease again.

        :raises Cancelled: always.
        """
        raise Cancelled("The task was cancelled.")


@contextmanager
def released_on_failure(lease: ServiceLease) -> Iterator[None]:
    """A deferral, a BaseException, is no failure: the lease is kept over it."""
    try:
        yield
    except Exception:
        lease.release()
        raise
