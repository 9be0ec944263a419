"""The steps of ``remove_service``: the route goes first, then the workload; the image stays."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import Asset

from manifest_engine.domain.approval import approval
from manifest_engine.domain.core.errors import ClusterError
from manifest_engine.domain.environment import environments
from manifest_engine.domain.lease import superseded
from manifest_engine.domain.release import labels as label
from manifest_engine.domain.removal import removal
from manifest_engine.domain.workload import name_collisions, pod
from manifest_engine.operators.core import admission
from manifest_engine.operators.core.lease_step import LeaseStep, released_on_failure
from manifest_engine.operators.core.step import StepOperator, end_skipping

if TYPE_CHECKING:
    from airflow.sdk import Context

    from manifest_engine.domain.removal.removal import Removal
    from manifest_engine.services.workload.workload import Workload

REMOVALS = Asset(name="datafactory-removals", uri="manifest-engine://removals")
"""Every removal of a service is an event of this asset, with the summary as its extra."""
END_SECONDS = pod.GRACE_SECONDS + 20.0
"""Pods have their grace to end; noticing that they shall, and clearing away, takes seconds more."""


class ValidateRemoval(StepOperator):
    """Insist on the confirmation, and plan what goes.

    XCom: the removal (:class:`manifest_engine.domain.removal.removal.Removal` as JSON).

    :param approval: id of the task that asks for an approval; it is skipped where the environment
        asks for none.
    """

    def __init__(self, *, approval: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.approval = approval

    def execute(self, context: Context) -> Any:
        planned = super().execute(context)
        if self.approval and not approval.is_needed(removal.load(planned)):
            end_skipping(context, planned, [self.approval])
        return planned

    def run(self, context: Context) -> dict[str, Any]:
        """
        :raises ManifestError: when a field is wrong, saying what to type.
        :raises NotAllowed: when the environment does not let this person remove services.
        """
        dag_run = context["dag_run"]
        planned = removal.plan(
            removal.parse(dag_run.conf or {}),
            environments.load(),
            run_id=dag_run.run_id,
            requested_at=dag_run.run_after,
            requested_by=getattr(dag_run, "triggering_user_name", None) or "unknown",
        )
        admission.require_user(context, "remove", planned.environment_name, planned.environment)
        self.log.info(
            "%s is to be removed from %s, asked for by %s",
            planned.name,
            planned.environment_name,
            planned.requested_by,
        )
        return planned.dump()


class _Removing(LeaseStep):
    """A step that takes objects away while it holds the service's lease.

    XCom: the objects that are gone now, such as ``["HTTPRoute pricing-quotes"]``.

    :param removal: what ``validate_removal`` planned.
    :param approval: what ``approve`` returned; demanded where the environment asks for it.
    """

    template_fields: Sequence[str] = ("removal", "approval")

    def __init__(self, *, removal: Any, approval: Any = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.removal = removal
        self.approval = approval

    def run(self, context: Context) -> list[str]:
        """
        :raises NotAllowed: when the environment does not let this person remove it any more.
        :raises ManifestError: when the name is another service's.
        :raises StateError: without the approval that the environment asks for, or when the service
            was deployed after this removal was asked for.
        :raises ClusterError: when the cluster refuses.
        """
        planned = removal.load(self.removal)
        workload, lease = self.service(planned)
        self.acquire(lease, planned)
        with released_on_failure(lease):
            approval.check(self.approval, planned, planned.name)
            admission.require_remove_still(context, planned.environment_name)
            live = workload.live()
            name_collisions.refuse(planned.component, planned.service_name, live)
            superseded.refuse(planned, live)
            return self.take_away(planned, workload)

    def take_away(self, planned: Removal, workload: Workload) -> list[str]:
        """Remove this step's objects; what was removed."""
        raise NotImplementedError


class RemoveRoute(_Removing):
    """Take the service's HTTPRoute or Ingress away; the lease is kept for the step that follows."""

    def take_away(self, planned: Removal, workload: Workload) -> list[str]:
        gone = remove_routes(planned, workload, self.log)
        state = "is public no longer" if gone else "had no route of ours"
        self.log.info("%s %s", planned.url, state)
        return gone


def remove_routes(planned: Removal, workload: Workload, log: logging.Logger) -> list[str]:
    """Remove the service's route of either kind; what was removed."""
    gone = workload.remove([removal.route(planned)])
    try:
        gone += workload.remove([removal.other_route(planned)])
    except ClusterError as error:
        if error.retryable:
            raise
        # A cluster without that kind, or a role without it, has no route of it.
        log.debug("No route of the other kind: %s", error)
    return gone


class RemoveWorkload(_Removing):
    """Take Deployment, Service, disruption budget and autoscaler away, wait until the pods have
    ended, and give the lease back.
    """

    def take_away(self, planned: Removal, workload: Workload) -> list[str]:
        """
        :raises ClusterError: when pods do not end; no retry can mend that, and what was removed
            stays so.
        """
        from manifest_engine.hooks.kubernetes import pod_ends

        gone = workload.remove(removal.workload(planned))
        if not gone:
            self.log.info("%s had no objects of ours", planned.name)
        begin = time.monotonic()
        left = pod_ends.wait_for_deletion(
            workload.hook,
            workload.namespace,
            label.label_selector(removal.pod_labels(planned)),
            seconds=END_SECONDS,
            log=self.log,
        )
        if left:
            raise ClusterError(removal.pods_still_running(planned, left, END_SECONDS))
        self.log.info("No pod is left after %.1f s", time.monotonic() - begin)
        if self._lease is not None:
            self._lease.release()
        return gone


class RecordRemoval(StepOperator):
    """Write down what went: the summary as XCom, and as the extra of an asset event.

    :param removal: what ``validate_removal`` planned.
    :param route: what ``remove_route`` returned.
    :param workload: what ``remove_workload`` returned.
    """

    template_fields: Sequence[str] = ("removal", "route", "workload")

    def __init__(self, *, removal: Any, route: Any, workload: Any, **kwargs: Any) -> None:
        super().__init__(outlets=[REMOVALS], **kwargs)
        self.removal = removal
        self.route = route
        self.workload = workload

    def run(self, context: Context) -> dict[str, Any]:
        """Summarise and record."""
        planned = removal.load(self.removal)
        gone = [*(self.route or []), *(self.workload or [])]
        summary = {
            "component": planned.component,
            "serviceName": planned.service_name,
            "environment": planned.environment_name,
            "removed": gone,
            "runId": planned.run_id,
            "requestedBy": planned.requested_by,
            "requestedAt": planned.requested_at.isoformat(),
        }
        context["outlet_events"][REMOVALS].extra = summary
        where = f"{planned.name} in {planned.environment_name}"
        if gone:
            self.log.info("%s is removed: %s; its images stay", where, ", ".join(gone))
        else:
            self.log.info("%s: nothing was there, so nothing had to be removed", where)
        return summary
