"""Base of the steps ``approve``: asks a person and records the answer."""

from __future__ import annotations

from abc import abstractmethod
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.standard.operators.hitl import ApprovalOperator

from manifest_engine.domain.approval import approval
from manifest_engine.domain.core import printable
from manifest_engine.domain.core.errors import NotApproved
from manifest_engine.domain.environment import access, environments
from manifest_engine.operators.core.step import report_failure
from manifest_engine.services.environment import user_roles

if TYPE_CHECKING:
    from airflow.sdk import Context

    from manifest_engine.domain.approval.approval import Planned


class AskApproval(ApprovalOperator):
    """Ask under *Required Actions*. The wait holds no worker slot.

    If the environment asks for no approval, the step before skips this task, so the task never
    starts.

    XCom: :class:`manifest_engine.domain.approval.approval.Approved` as JSON, required by the later
    steps.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(subject="Go on?", fail_on_reject=True, **kwargs)

    @abstractmethod
    def planned(self) -> tuple[Planned, str]:
        """The planned release or removal, and the subject of the record."""

    @abstractmethod
    def question(self) -> tuple[str, str]:
        """The headline, and the body in Markdown."""

    def execute(self, context: Context) -> Any:
        """Ask, and wait for the answer.

        :raises ClusterError: when the live release cannot be read.
        :raises ConfigurationError: when no user could answer.
        """
        with report_failure(context, self.log):
            planned, _ = self.planned()
            rule = planned.environment.approval
            if rule is None or not approval.is_needed(planned):
                return None
            approvers = _approvers(planned)
            self.subject, self.body = self.question()
            self.assigned_users = [{"id": name, "name": name} for name in approvers] or None
            self.response_timeout = timedelta(minutes=rule.timeout_minutes)
            who = ", ".join(approvers) or "anyone who may answer"
            self.log.info("Waiting up to %s minutes for an answer by %s", rule.timeout_minutes, who)
        return super().execute(context)

    def execute_complete(self, context: Context, event: dict[str, Any]) -> Any:
        """Record the approval. Ask again if the user may not approve this run.

        :raises NotApproved: naming who refused, or how long nobody answered.
        """
        with report_failure(context, self.log):
            planned, subject = self.planned()
            answer = _answer(event, planned)
            user = answer.get("responded_by_user") or {}
            who = user.get("name") or "unknown"
            if answer["chosen_options"] != [self.APPROVE]:
                raise NotApproved(approval.refused(planned, who))
            approvers = _approvers(planned)
            if approval.is_own(planned, who):
                self.log.warning("%s", approval.self_approved(planned, who))
            elif approvers and user.get("id") not in approvers:
                self.log.warning("%s", approval.not_listed(planned, who))
            else:
                self.log.info("%s approved %s", who, subject)
                record = approval.Approved(
                    subject=subject,
                    run_id=planned.run_id,
                    approved_by=who,
                    approved_at=answer["responded_at"],
                )
                return printable.storable(record.dump())
        return self.execute(context)


def _approvers(planned: Planned) -> tuple[str, ...]:
    """The users who may approve, by the present rules, which may differ from the planned ones."""
    environment = environments.find(planned.environment_name, environments.load())
    return access.approvers(environment, user_roles.known())


def _answer(event: dict[str, Any], planned: Planned) -> dict[str, Any]:
    if "error" not in event:
        return event
    rule = planned.environment.approval
    if event.get("error_type") == "timeout" and rule:
        asked = planned.environment.approvers
        raise NotApproved(approval.unanswered(planned, asked, rule.timeout_minutes))
    raise NotApproved(f"The approval ended without an answer: {event['error']}")
