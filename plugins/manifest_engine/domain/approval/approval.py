"""When a person has to agree before a run goes on, and the record that later steps demand."""

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
"""What a run is to do."""


class Approved(Model):
    """Who agreed to what in which run."""

    model_config = ConfigDict(validate_by_name=True)

    subject: str
    """The image's digest; of a removal the name of the service's objects."""
    run_id: str
    approved_by: str
    approved_at: datetime

    def dump(self) -> dict[str, Any]:
        """As JSON-compatible data, for XCom."""
        return self.model_dump(mode="json", by_alias=True)


def is_needed(planned: Planned) -> bool:
    """Whether a person has to let it go on."""
    wanted = planned.environment.approval
    if wanted is None or isinstance(planned, Removal):
        return wanted is not None
    if planned.rollback:
        return not wanted.exempt_rollbacks
    rebuild = planned.manifest.rebuild
    if rebuild is None or not planned.by_dag:
        # Anybody can write the field: the base images in it are those of their own choice.
        return True
    return rebuild_asks(wanted, rebuild)


def rebuild_asks(wanted: Approval | None, rebuild: Rebuild) -> bool:
    """Whether a person has to let a nightly rebuild go on.

    Its manifest and artifact are those of the live release (``domain.rebuild.rebuild`` sees to
    that), so an environment may let it pass.

    :param wanted: of the environment.
    """
    if wanted is None:
        return False
    return rebuild.artifact_sha256 is None or not wanted.exempt_rebuilds


def is_own(planned: Planned, who: str) -> bool:
    """Whether somebody's approval counts for nothing, since they asked for the run themselves.

    :param who: name of the Airflow user.
    """
    wanted = planned.environment.approval
    return wanted is not None and not wanted.self_approval and who == planned.requested_by


def check(data: Any, planned: Planned, subject: str) -> None:
    """Demand the record where the environment wants one.

    A task that is green is no proof: anyone who may edit runs can mark it so.

    :param data: what ``approve`` returned.
    :param subject: as :class:`Approved` has it.
    :raises StateError: when there is none, it is about something else or of another run, or by
        somebody whose word does not count.
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
        what, left = f"the removal of {subject}", "nothing is removed"
    else:
        what, left = subject[: len("sha256:") + 12], "it does not run there"
    return (
        f"The environment {planned.environment_name!r} asks for an approval, and nobody has "
        f"approved {what} in this run, so {left}; clear the task approve and answer it."
    )


def self_approved(planned: Planned, who: str) -> str:
    """A sentence."""
    return (
        f"{who} has asked for this run, and in {planned.environment_name!r} nobody approves a "
        "run of their own (selfApproval in environments.yaml); somebody else has to answer."
    )


def not_listed(planned: Planned, who: str) -> str:
    """A sentence."""
    return (
        f"{who} may not approve runs for {planned.environment_name!r} (access.approve or "
        "approval.approvers in environments.yaml); somebody of those has to answer."
    )


def refused(planned: Planned, who: str) -> str:
    """A sentence."""
    if isinstance(planned, Removal):
        what = f"the removal of {planned.name} from {planned.environment_name}"
    else:
        what = f"{planned.name} {planned.manifest.version} for {planned.environment_name}"
    return f"{who} refused {what}; nothing was changed."


def unanswered(planned: Planned, approvers: Sequence[str], minutes: int) -> str:
    """A sentence.

    :param minutes: how long the question stood.
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
