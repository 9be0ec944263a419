"""The steps of ``remove_service``: remove the route, then the workload. The images stay."""

from __future__ import annotations

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
from manifest_engine.domain.workload import name_collisions
from manifest_engine.operators.core import admission
from manifest_engine.operators.core.lease_step import LeaseStep, released_on_failure
from manifest_engine.operators.core.step import BookkeepingStep, StepOperator, end_skipping
from manifest_engine.operators.events import runs

if TYPE_CHECKING:
    from airflow.sdk import Context

    from manifest_engine.domain.removal.removal import Removal
    from manifest_engine.services.workload.workload import Workload

REMOVALS = Asset(name="datafactory-removals", uri="manifest-engine://removals")
"""Each removal is an event of this asset, with the summary as ``extra``."""
END_SECONDS = 20.0
"""Seconds for kubelet and API server, in addition to the grace period of the pods."""


class ValidateRemoval(StepOperator):
    """Check the confirmation, and plan the removal.

    XCom: the removal (:class:`manifest_engine.domain.removal.removal.Removal` as JSON).

    :param approval: id of the task that asks for an approval; skipped when the environment asks for
        none.
    """

    def __init__(self, *, approval: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.approval = approval

    def execute(self, context: Context) -> Any:
        planned = super().execute(context)
        if self.approval and not approval.is_needed(removal.load(planned)):
            end_skipping(context, planned, [self.approval])
        if self.approval:
            runs.record_wait(self, context, removal.load(planned).environment_name)
        return planned

    def run(self, context: Context) -> dict[str, Any]:
        """
        :raises ManifestError: when a field is wrong, naming the correct confirmation.
        :raises NotAllowed: when the environment does not let this person remove services.
        """
        dag_run = context["dag_run"]
        planned = removal.plan(
            removal.parse(dag_run.conf or {}),
            environments.load(),
            run_id=dag_run.run_id,
            requested_at=dag_run.run_after,
            requested_by=admission.requester(context).name or "unknown",
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
    """A step that removes objects while it holds the service's lease.

    XCom: the removed objects, such as ``["HTTPRoute pricing-quotes"]``.

    :param removal: XCom of ``validate_removal``.
    :param approval: XCom of ``approve``; required if the environment asks for an approval.
    """

    template_fields: Sequence[str] = ("removal", "approval")

    def __init__(self, *, removal: Any, approval: Any = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.removal = removal
        self.approval = approval

    def run(self, context: Context) -> list[str]:
        """
        :raises NotAllowed: when the user may no longer remove the service.
        :raises ManifestError: when another service has the same object name.
        :raises StateError: when a required approval is missing, or when the service was deployed
            after the request for this removal.
        :raises ClusterError: when the cluster refuses a request.
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
            # Before the first deletion: after it, nothing else stops an older deployment.
            lease.record_removal(planned.requested_at)
            return self.remove_objects(planned, workload)

    def remove_objects(self, planned: Removal, workload: Workload) -> list[str]:
        """Remove the objects of this step; returns the removed objects."""
        raise NotImplementedError


class RemoveRoute(_Removing):
    """Remove the service's HTTPRoute or Ingress. The lease is kept for the next step."""

    def remove_objects(self, planned: Removal, workload: Workload) -> list[str]:
        from manifest_engine.services.route.withdrawal import remove_routes

        removed = remove_routes(workload, removal.route(planned))
        state = "is public no longer" if removed else "had no route of ours"
        self.log.info("%s %s", planned.url, state)
        return removed


class RemoveWorkload(_Removing):
    """Remove Deployment, Service, PodDisruptionBudget, autoscaler and files, wait for the end of
    the pods, and release the lease.
    """

    def remove_objects(self, planned: Removal, workload: Workload) -> list[str]:
        """
        :raises ClusterError: when pods do not end. The error is final: the objects are already
            removed.
        """
        from manifest_engine.hooks.kubernetes import pod_ends

        removed = workload.remove([*workload.files(), *removal.workload(planned)])
        if not removed:
            self.log.info("%s had no objects of ours", planned.name)
        begin = time.monotonic()
        remaining = pod_ends.wait_for_deletion(
            workload.hook,
            workload.namespace,
            label.label_selector(removal.pod_labels(planned)),
            seconds=END_SECONDS,
            on_look=self._lease.renew if self._lease else lambda: None,
            log=self.log,
        )
        seconds = time.monotonic() - begin
        if remaining:
            raise ClusterError(removal.pods_still_running(planned, remaining, seconds))
        self.log.info("No pod is left after %.1f s", seconds)
        if self._lease is not None:
            self._lease.release()
        return removed


class RecordRemoval(BookkeepingStep):
    """Record the removal: the summary as XCom, and as ``extra`` of an asset event.

    :param removal: XCom of ``validate_removal``.
    :param route: XCom of ``remove_route``.
    :param workload: XCom of ``remove_workload``.
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
        removed = [*(self.route or []), *(self.workload or [])]
        summary = {
            "component": planned.component,
            "serviceName": planned.service_name,
            "environment": planned.environment_name,
            "removed": removed,
            "runId": planned.run_id,
            "requestedBy": planned.requested_by,
            "requestedAt": planned.requested_at.isoformat(),
        }
        context["outlet_events"][REMOVALS].extra = summary
        where = f"{planned.name} in {planned.environment_name}"
        if removed:
            self.log.info("%s is removed: %s; its images stay", where, ", ".join(removed))
        else:
            self.log.info("%s: nothing was there, so nothing had to be removed", where)
        return summary
