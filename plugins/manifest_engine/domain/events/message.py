"""The text of a chat message."""

from __future__ import annotations

from manifest_engine.domain.core import printable
from manifest_engine.domain.environment.tell import Occasion
from manifest_engine.domain.events.facts import RunFacts

_SENTENCE_MAX = 1500
"""Limit for an error, in characters; some chats refuse messages of more than 2,000."""
_BACK = {"rollback_service": "is back", "restart_service": "is live again after a restart"}


def occasion(facts: RunFacts, *, waits: bool) -> Occasion | None:
    """The reason for a message about the run; None if the run needs no message.

    :param waits: whether the run has just begun to wait for approval.
    """
    if waits:
        return "waiting"
    if facts.state in ("failed", "rolled back"):
        return "failed"
    changed = facts.state == "live" and facts.value("apply_deployment").get("changed")
    return "live" if changed else None


def text(facts: RunFacts, about: Occasion) -> str:
    """A sentence about the run, and a link."""
    entry = facts.entry
    service = f"{entry['component']}-{entry['serviceName']}"
    what = f"{service} {entry['version'] or ''}".strip()
    where = f"in {entry['environment']}"
    if about == "waiting":
        made = f"{what} waits for approval {where}, asked for by {entry['by']}."
    elif about == "live":
        state = _BACK.get(facts.run.dag_id, "is live")
        made = f"{what} {state} {where}, asked for by {entry['by']}: {entry['url']}"
    else:
        action = {"remove": "The removal of ", "rollback": "The rollback of "}.get(entry["action"])
        cause = printable.excerpt(str(entry["sentence"]), _SENTENCE_MAX)
        step = entry["failedStep"] or "the run"
        made = f"{action or ''}{what} failed {where} at {step}: {cause}"
    return f"{made}\n{facts.link}"
