"""When a run needs an approval, and the record of the approval that later steps demand."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from pydantic import ConfigDict, ValidationError

from manifest_engine.domain.core.errors import StateError
from manifest_engine.domain.core.model import Model
from manifest_engine.domain.environment.environment import Approval
from manifest_engine.domain.manifest.sections import Rebuild
from manifest_engine.domain.release.release import Release
from manifest_engine.domain.removal.removal import Removal

Planned = Release | Removal
"""The plan of a run."""


class Approved(Model):
    """The record of an approval: who approved what in which run."""

    model_config = ConfigDict(validate_by_name=True)

    subject: str
    """The image digest of a deployment, or the object name of a removal."""
    run_id: str
    approved_by: str
    approved_at: datetime


def is_needed(planned: Planned) -> bool:
    """Whether the run needs an approval."""
    rule = planned.environment.approval
    if rule is None or isinstance(planned, Removal):
        return rule is not None
    if planned.restart:
        return False  # the live image with the live manifest, which were approved
    if planned.rollback:
        return not rule.exempt_rollbacks
    rebuild = planned.manifest.rebuild
    if rebuild is None or not planned.by_dag:
        # A person can write a rebuild block with base images of their own choice into a run conf.
        return True
    return rebuild_needs_approval(rule, rebuild)


def rebuild_needs_approval(rule: Approval | None, rebuild: Rebuild) -> bool:
    """Whether a nightly rebuild needs an approval.

    An environment can exempt rebuilds, because a rebuild has the manifest and the artifact of the
    live release (``domain.rebuild.rebuild.outdated`` checks this).

    :param rule: approval settings of the environment.
    """
    if rule is None:
        return False
    return rebuild.artifact_sha256 is None or not rule.exempt_rebuilds


def is_own(planned: Planned, who: str) -> bool:
    """Whether an approval does not count because the approver requested the run.

    :param who: name of the Airflow user.
    """
    rule = planned.environment.approval
    return rule is not None and not rule.self_approval and who == planned.requested_by


def check(data: Any, planned: Planned, subject: str) -> None:
    """Demand the record of an approval if the run needs one.

    A successful task is no proof, because anyone who may edit runs can mark a task as successful.

    :param data: result of ``approve``.
    :param subject: the subject as in :class:`Approved`.
    :raises StateError: when there is no record, when the record is about another subject or run, or
        when the approver requested the run.
    """
    if not is_needed(planned):
        return
    try:
        found = Approved.model_validate(data or {}, strict=False)
    except ValidationError:
        found = None
    if found is None or (found.subject, found.run_id) != (subject, planned.run_id):
        raise StateError(_not_approved(planned, subject))
    if is_own(planned, found.approved_by):
        raise StateError(self_approved(planned, found.approved_by))


def _not_approved(planned: Planned, subject: str) -> str:
    if isinstance(planned, Removal):
        what, result = f"the removal of {subject}", "nothing is removed"
    else:
        what, result = subject[: len("sha256:") + 12], "it does not run there"
    return (
        f"The environment {planned.environment_name!r} asks for an approval, and nobody has "
        f"approved {what} in this run, so {result}; clear the task approve and answer it."
    )


def self_approved(planned: Planned, who: str) -> str:
    """The error sentence for an approver who requested the run."""
    return (
        f"{who} has asked for this run, and in {planned.environment_name!r} nobody approves a "
        "run of their own (selfApproval in environments.yaml); somebody else has to answer."
    )


def not_listed(planned: Planned, who: str) -> str:
    """The error sentence for somebody who may not approve."""
    return (
        f"{who} may not approve runs for {planned.environment_name!r} (access.approve or "
        "approval.approvers in environments.yaml); one of them has to answer."
    )


def refused(planned: Planned, who: str) -> str:
    """The error sentence for a refused run."""
    if isinstance(planned, Removal):
        what = f"the removal of {planned.name} from {planned.environment_name}"
    else:
        what = f"{planned.name} {planned.manifest.version} for {planned.environment_name}"
    return f"{who} refused {what}; nothing was changed."


def unanswered(planned: Planned, approvers: Sequence[str], minutes: int) -> str:
    """The error sentence for a question that nobody answered.

    :param minutes: how long the question was open.
    """
    who = f"{', '.join(approvers)} did not answer" if approvers else "Nobody answered"
    if isinstance(planned, Removal):
        what = f"{planned.name} may be removed from {planned.environment_name}"
    else:
        what = f"{planned.name} {planned.manifest.version} may go to {planned.environment_name}"
    return (
        f"{who} within {minutes} minutes whether {what}; nothing was changed. Clear the task "
        "approve to ask again."
    )
