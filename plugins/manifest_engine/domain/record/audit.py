"""One audit entry per beginning and end of a run: who asked for what, and what became of it.

``docs/audit.md`` describes the entry; it has no secret in it. Its size and the time that it takes
are bounded, whatever was asked for: the scheduler makes it.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any

from manifest_engine.domain.core.json_excerpt import ELLIPSIS, Excerpt
from manifest_engine.domain.manifest.manifest import Manifest
from manifest_engine.domain.record.redaction import redacted

SCHEMA = 1
"""Raised when a field changes its meaning; new fields may come without that."""

ENTRY_MAX = 16 * 1024
"""Bytes of an entry: what log drivers and shippers take as one line (Docker cuts lines there)."""
_ABOUT_THE_RUN_MAX = 3 * 1024
_SENTENCE_MAX = 4 * 1024
_MANIFEST_MAX = 5 * 1024
"""Bytes of the entry's parts. The manifest may grow when it is redacted, from ``://@`` to ``://***@``
at worst; the rest is for the entry's own keys."""
_TEXT_MAX = 500
"""Characters of a value."""
_UNKNOWN_KEYS_MAX = 10

REBUILD = "rebuild"
ACTIONS = {
    "deploy_service": "deploy",
    "rollback_service": "rollback",
    "remove_service": "remove",
    "rebuild_services": REBUILD,
}
"""By DAG."""
_SOURCES = {"timetable": "schedule", "rest_api": "api", "operator": "dag"}
"""Airflow's words for where a run came from that are not plain; the others stand as they are."""

NOBODY = "unknown"
"""Who started what no person did: a schedule."""

ERROR_KEY = "error"
VALUE_KEY = "return_value"
PUSH_KEY = "push"
UNMAPPED = -1
"""Airflow's index of a task that is not mapped; all that an entry is made of are, but for a failure
that no other task sums up."""
_VALIDATE = ("validate", "validate_rollback", "validate_removal")
_RECORD = ("record_release", "record_removal")
_PUSHED = (("push_image", VALUE_KEY), ("validate_rollback", PUSH_KEY))
_APPROVED = ("approve", VALUE_KEY)
PLACES = frozenset(
    {*((task, VALUE_KEY) for task in (*_VALIDATE, *_RECORD)), *_PUSHED, _APPROVED},
)
"""Tasks and keys of the XComs that an entry is made of, besides the error of what failed."""

_KNOWN = (
    *(field.alias or name for name, field in Manifest.model_fields.items()),
    *("confirm", "force"),
)
"""Fields of a conf, in the order of an entry."""

XComs = Mapping[tuple[str, str], Any]
"""By task and key."""


@dataclass(frozen=True)
class Run:
    """A run as Airflow knows it."""

    dag_id: str
    run_id: str
    state: str
    conf: Mapping[str, Any]
    triggered_by: str | None
    user: str | None
    requested_at: datetime | None
    started_at: datetime | None
    ended_at: datetime | None


def entry(
    run: Run, xcoms: XComs, *, failed: str | None = None, message: str = ""
) -> dict[str, Any]:
    """The entry, in the order in which a person reads it.

    :param failed: the task that failed first.
    :param message: Airflow's own word for why the run ended.
    """
    cut = Excerpt(_ABOUT_THE_RUN_MAX, _TEXT_MAX).of
    over = run.state in ("success", "failed")
    record = _first(xcoms, [(task, VALUE_KEY) for task in _RECORD])
    manifest = _manifest(run.conf, _first(xcoms, [(task, VALUE_KEY) for task in _VALIDATE]))
    source = (run.triggered_by or "unknown").lower()
    made: dict[str, Any] = {
        "schema": SCHEMA,
        "event": "ended" if over else "started",
        "action": REBUILD if manifest.get(REBUILD) else ACTIONS.get(run.dag_id, run.dag_id),
        "by": cut(run.user) or NOBODY,
        "from": _SOURCES.get(source, source),
        "dag": run.dag_id,
        "run": cut(run.run_id),
        "requestedAt": _time(run.requested_at),
        "startedAt": _time(run.started_at),
        "component": cut(manifest.get("component")),
        "serviceName": cut(manifest.get("serviceName")),
        "version": cut(record.get("version") or manifest.get("version")),
        "environment": cut(manifest.get("environment")),
        "manifest": manifest,
    }
    if over:
        approved = _first(xcoms, [_APPROVED])
        made |= {
            "endedAt": _time(run.ended_at),
            "result": run.state,
            "digest": cut(record.get("digest") or _first(xcoms, _PUSHED).get("digest")),
            "url": cut(record.get("url")),
            "approvedBy": cut(approved.get("approvedBy")),
            "approvedAt": cut(approved.get("approvedAt")),
        }
    if run.state == "failed":
        sentence = _sentence(xcoms, failed, message)
        made |= {
            "failedStep": failed,
            "sentence": Excerpt(_SENTENCE_MAX, _SENTENCE_MAX).of(sentence),
        }
    return made


def line(made: Mapping[str, Any]) -> str:
    """An entry as a person reads it."""
    service = "-".join(filter(None, (made["component"], made["serviceName"]))) or "all services"
    what = f"{service} {made.get('version') or ''}".rstrip()
    result = made.get("result") or "running"
    who = made["from"] if made["by"] == NOBODY else f"{made['by']} ({made['from']})"
    text = (
        f"{(made.get('requestedAt') or '')[:19]}  {result:<8} {made['action']:<9} {what} in "
        f"{made['environment'] or 'all environments'}, by {who}"
    )
    if made.get("approvedBy"):
        text += f", approved by {made['approvedBy']}"
    if made.get("sentence"):
        told = f"{made['failedStep'] or 'the run'}: {made['sentence']}"
        text += "\n" + textwrap.indent(told, "    ")
    return text


def _manifest(conf: Mapping[str, Any], planned: Mapping[str, Any]) -> dict[str, Any]:
    """As validated, with defaults; as asked for, where it was not."""
    found = planned.get("manifest")
    asked = found if isinstance(found, dict) else conf
    known = {key: asked[key] for key in _KNOWN if key in asked}
    unknown = list(islice((key for key in asked if key not in known), _UNKNOWN_KEYS_MAX))
    # Cut before it is redacted, since redaction reads all of it.
    few = Excerpt(_MANIFEST_MAX, _TEXT_MAX).of(known | dict.fromkeys(unknown, ELLIPSIS))
    few.pop(ELLIPSIS, None)
    made = redacted(few)
    if rest := len(asked) - len(few):
        made[ELLIPSIS] = f"{rest} more"
    return made


def _sentence(xcoms: XComs, failed: str | None, message: str) -> Any:
    if failed and (told := xcoms.get((failed, ERROR_KEY))):
        return told
    if message == "timed_out":
        return "The run took longer than its DAG allows (dagrun_timeout) and was ended."
    if failed:
        return f"{failed} failed without a word; its log says more."
    return f"The run was ended ({message or 'by hand'})."


def _first(xcoms: XComs, places: Any) -> dict[str, Any]:
    for place in places:
        if isinstance(found := xcoms.get(place), dict):
            return found
    return {}


def _time(moment: datetime | None) -> str | None:
    return moment.isoformat(timespec="milliseconds") if moment else None
