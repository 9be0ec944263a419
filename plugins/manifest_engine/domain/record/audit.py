"""One audit entry per start and end of a run: who requested what, and the result.

``docs/audit.md`` describes the entry. The entry contains no secret. The scheduler makes the entry,
so its size and the time to make it are bounded for any run conf.
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
"""Incremented when the meaning of a field changes, but not for new fields."""

ENTRY_MAX = 16 * 1024
"""Bytes of an entry. Log drivers and shippers accept this as one line (Docker splits longer lines).
"""
_ABOUT_THE_RUN_MAX = 3 * 1024
_SENTENCE_MAX = 4 * 1024
_MANIFEST_MAX = 5 * 1024
"""Bytes of the entry's parts; the rest is for the entry's own keys. Redaction can lengthen the
manifest, at worst from ``://@`` to ``://***@``."""
_TEXT_MAX = 500
"""Characters of one value."""
_UNKNOWN_KEYS_MAX = 10

REBUILD = "rebuild"
ACTIONS = {
    "deploy_service": "deploy",
    "rollback_service": "rollback",
    "restart_service": "restart",
    "remove_service": "remove",
    "rebuild_services": REBUILD,
}
"""Action by DAG."""
_SOURCES = {"timetable": "schedule", "rest_api": "api", "operator": "dag"}
"""Plain words for some of Airflow's trigger types; the others are used unchanged."""

NOBODY = "unknown"
"""The requester of a scheduled run."""

ERROR_KEY = "error"
VALUE_KEY = "return_value"
PUSH_KEY = "push"
UNMAPPED = -1
"""Airflow's index of a task that is not mapped. An entry reads a mapped task's XCom only for a
failure that no other task reports."""
VALIDATE = ("validate", "validate_rollback", "validate_restart", "validate_removal")
"""The first step of each DAG that changes a service."""
PUSHED = (
    ("push_image", VALUE_KEY),
    ("validate_rollback", PUSH_KEY),
    ("validate_restart", PUSH_KEY),
)
RELEASE = tuple((task, VALUE_KEY) for task in VALIDATE)
PUBLISHED = (("publish_route", VALUE_KEY),)
APPROVED = (("approve", VALUE_KEY),)
_RECORDED = tuple((task, VALUE_KEY) for task in ("record_release", "record_removal"))
PLACES = frozenset(
    {*RELEASE, *_RECORDED, *PUSHED, *PUBLISHED, *APPROVED},
)
"""Task and key of each XCom that an entry reads, besides the error of the failed task."""

_KNOWN = (
    *(field.alias or name for name, field in Manifest.model_fields.items()),
    *("confirm", "force"),
)
"""Fields of a run conf, in the order of the entry."""

XComs = Mapping[tuple[str, str], Any]
"""XCom values by task and key."""


@dataclass(frozen=True)
class Run:
    """A run, as Airflow's metadata describes it."""

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
    """Make the entry, with its keys in reading order.

    :param failed: the task that failed first.
    :param message: Airflow's message about the end of the run.
    """
    cut = Excerpt(_ABOUT_THE_RUN_MAX, _TEXT_MAX).of
    over = run.state in ("success", "failed")
    record = first_object(xcoms, *_RECORDED)
    manifest = _manifest(run.conf, first_object(xcoms, *RELEASE))
    source = (run.triggered_by or "unknown").lower()
    made: dict[str, Any] = {
        "schema": SCHEMA,
        "event": "ended" if over else "started",
        "action": REBUILD if manifest.get(REBUILD) else ACTIONS.get(run.dag_id, run.dag_id),
        "by": cut(run.user) or NOBODY,
        "from": _SOURCES.get(source, source),
        "dag": run.dag_id,
        "run": cut(run.run_id),
        "requestedAt": time_text(run.requested_at),
        "startedAt": time_text(run.started_at),
        "component": cut(manifest.get("component")),
        "serviceName": cut(manifest.get("serviceName")),
        "version": cut(record.get("version") or manifest.get("version")),
        "environment": cut(manifest.get("environment")),
        "manifest": manifest,
    }
    if over:
        approved = first_object(xcoms, *APPROVED)
        made |= {
            "endedAt": time_text(run.ended_at),
            "result": run.state,
            "digest": cut(record.get("digest") or first_object(xcoms, *PUSHED).get("digest")),
            "url": cut(record.get("url") or first_object(xcoms, *PUBLISHED).get("url")),
            "overwritten": cut(record.get("overwritten")),
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
    """An entry as text for people."""
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
        failure = f"{made['failedStep'] or 'the run'}: {made['sentence']}"
        text += "\n" + textwrap.indent(failure, "    ")
    return text


def _manifest(conf: Mapping[str, Any], planned: Mapping[str, Any]) -> dict[str, Any]:
    """The validated manifest with its defaults, or the run conf if validation did not pass."""
    found = planned.get("manifest")
    source = found if isinstance(found, dict) else conf
    known = {key: source[key] for key in _KNOWN if key in source}
    unknown = list(islice((key for key in source if key not in known), _UNKNOWN_KEYS_MAX))
    # Redaction reads every character, so shorten the manifest first.
    few = Excerpt(_MANIFEST_MAX, _TEXT_MAX).of(known | dict.fromkeys(unknown, ELLIPSIS))
    few.pop(ELLIPSIS, None)
    made = redacted(few)
    if rest := len(source) - len(few):
        made[ELLIPSIS] = f"{rest} more"
    return made


def _sentence(xcoms: XComs, failed: str | None, message: str) -> Any:
    if failed and (error := xcoms.get((failed, ERROR_KEY))):
        return error
    if message == "timed_out":
        return "The run took longer than its DAG allows (dagrun_timeout) and was ended."
    if failed:
        return f"{failed} failed without an error sentence; see its log."
    return f"The run was ended ({message or 'by hand'})."


def first_object(xcoms: XComs, *places: tuple[str, str]) -> dict[str, Any]:
    """The first of several XComs that is an object; empty without one."""
    for place in places:
        if isinstance(found := xcoms.get(place), dict):
            return found
    return {}


def time_text(moment: datetime | None) -> str | None:
    """ISO 8601 with milliseconds."""
    return moment.isoformat(timespec="milliseconds") if moment else None
