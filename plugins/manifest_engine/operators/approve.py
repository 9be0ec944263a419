"""Step ``approve``: where the environment says so, a person agrees before the image runs there."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.standard.operators.hitl import ApprovalOperator

from manifest_engine.domain import approval
from manifest_engine.domain import release as releases
from manifest_engine.domain.errors import NotApproved
from manifest_engine.operators.step import told

if TYPE_CHECKING:
    from airflow.sdk import Context

    from manifest_engine.domain.release import Release


class Approve(ApprovalOperator):
    """Ask under *Required Actions*; no worker slot is held meanwhile.

    In an environment without ``approval`` the step before skips this task as it ends, so that it
    never starts and costs nothing.

    XCom: :class:`manifest_engine.domain.approval.Approved` as JSON, which ``smoke_test`` and
    ``apply_deployment`` demand.

    :param release: what ``validate`` planned.
    :param push: what ``push_image`` returned; ``digest`` is what is approved.
    """

    template_fields: Sequence[str] = ("release", "push")

    def __init__(self, *, release: Any, push: Any, **kwargs: Any) -> None:
        super().__init__(subject="Deploy?", fail_on_reject=True, **kwargs)
        self.release = release
        self.push = push

    def execute(self, context: Context) -> Any:
        """Ask, and wait for the answer. Raises ClusterError when the live release is not known."""
        with told(context, self.log):
            release, digest = self._asked()
            wanted = release.environment.approval
            if wanted is None or not approval.needed(release):
                return None
            self.subject = approval.subject(release)
            self.body = approval.body(release, digest, _live(release))
            self.assigned_users = [{"id": name, "name": name} for name in wanted.approvers] or None
            self.response_timeout = timedelta(minutes=wanted.timeout_minutes)
            who = ", ".join(wanted.approvers) or "anyone who may answer"
            self.log.info(
                "Waiting up to %s minutes for an answer by %s", wanted.timeout_minutes, who
            )
        return super().execute(context)

    def execute_complete(self, context: Context, event: dict[str, Any]) -> Any:
        """Judge the answer; ask again when it is an approval by somebody whose word does not count.

        :raises NotApproved: naming who refused, or for how long nobody answered.
        """
        with told(context, self.log):
            release, digest = self._asked()
            answer = _answer(event, release)
            who = (answer.get("responded_by_user") or {}).get("name") or "unknown"
            if answer["chosen_options"] != [self.APPROVE]:
                raise NotApproved(
                    f"{who} refused {release.name} {release.manifest.version} for "
                    f"{release.manifest.environment}; nothing was changed."
                )
            if not approval.is_own(release, who):
                self.log.info("%s approved %s", who, release.image_at(digest))
                return approval.Approved(
                    digest=digest,
                    run_id=release.run_id,
                    approved_by=who,
                    approved_at=answer["responded_at"],
                ).dump()
            self.log.warning("%s", approval.self_approved(release, who))
        return self.execute(context)

    def _asked(self) -> tuple[Release, str]:
        return releases.load(self.release), releases.pushed_digest(self.push)


def _answer(event: dict[str, Any], release: Release) -> dict[str, Any]:
    if "error" not in event:
        return event
    wanted = release.environment.approval
    if event.get("error_type") == "timeout" and wanted:
        who = ", ".join(wanted.approvers) or "Nobody"
        verb = "did not answer" if wanted.approvers else "answered"
        raise NotApproved(
            f"{who} {verb} within {wanted.timeout_minutes} minutes whether {release.name} "
            f"{release.manifest.version} may go to {release.manifest.environment}; nothing was "
            "changed. Clear the task approve to ask again."
        )
    raise NotApproved(f"The approval ended without an answer: {event['error']}")


def _live(release: Release) -> dict[str, Any] | None:
    from manifest_engine.hooks.cluster import ClusterHook
    from manifest_engine.hooks.workload import Workload

    cluster = release.environment.cluster
    return Workload(ClusterHook(cluster.connection), cluster.namespace, release.name).live()
