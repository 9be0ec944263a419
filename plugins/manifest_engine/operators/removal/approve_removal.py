"""Step ``approve`` of a removal: a person approves the removal of the service."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from manifest_engine.domain.approval import question as approval_question
from manifest_engine.domain.lease import superseded
from manifest_engine.domain.release import labels as label
from manifest_engine.domain.removal import removal
from manifest_engine.domain.workload import name_collisions
from manifest_engine.operators.approval.ask_approval import AskApproval

if TYPE_CHECKING:
    from manifest_engine.domain.removal.removal import Removal


class ApproveRemoval(AskApproval):
    """Ask whether the service may be removed. The question shows the live release, its pods and
    each object.

    :param removal: XCom of ``validate_removal``.
    """

    template_fields: Sequence[str] = ("removal",)

    def __init__(self, *, removal: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.removal = removal

    def planned(self) -> tuple[Removal, str]:
        planned = removal.load(self.removal)
        return planned, planned.name

    def question(self) -> tuple[str, str]:
        """
        :raises ManifestError: when another service has the same object name.
        :raises StateError: when the service was deployed after the request for this removal.
        """
        from manifest_engine.services.dry_run.cluster import DryRunHook
        from manifest_engine.services.route.withdrawal import remove_routes
        from manifest_engine.services.workload.workload import Workload

        planned, _ = self.planned()
        hook = DryRunHook(planned.environment.cluster.connection)
        workload = Workload.of(planned.environment, planned.name, hook=hook, log=self.log)
        live = workload.live()
        name_collisions.refuse(planned.component, planned.service_name, live)
        superseded.refuse(planned, live)
        remove_routes(workload, removal.route(planned))
        workload.remove([*workload.files(), *removal.workload(planned)])
        labels = label.label_selector(removal.pod_labels(planned))
        found = hook.find("v1", "Pod", workload.namespace, labels=labels)
        pods = [pod for pod in found if not pod["metadata"].get("deletionTimestamp")]
        objects = [f"{change.kind} {change.name}" for change in hook.changes]
        body = approval_question.removal_body(planned, live, pods, objects)
        return approval_question.removal_subject(planned), body
