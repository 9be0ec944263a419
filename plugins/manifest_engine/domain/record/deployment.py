"""What Infra Hub is told about a deployment: its state, its steps and its result.

The facts are Airflow's rows of the run. Everything here is pure, so the API, the event stream and
the client derive the same answer from the same rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from manifest_engine.domain.record import audit

STEPS = (
    "validate",
    "download_artifact",
    "build_image",
    "push_image",
    "approve",
    "smoke_test",
    "apply_deployment",
    "publish_route",
    "watch_release",
    "record_release",
    "describe_image",
)
"""The tasks of ``deploy_service``, in order."""
OUTCOME_KEY = "outcome"
"""XCom key of the ``outcome`` of a failed step's error."""
ENDED = frozenset({"live", "planned", "failed", "rolled back", "superseded", "cancelled"})
"""States in which nothing changes any more."""
CANCELLED_NOTE = "Cancelled by "
"""Beginning of the note of a run that was cancelled over the API."""
STATE_EVENT = "99-"
"""Beginning of the id of an event about the state of the deployment; it sorts after all steps."""
PLACES = frozenset(
    {
        *((step, "error") for step in STEPS),
        *((step, OUTCOME_KEY) for step in STEPS),
        ("validate", "return_value"),
        ("validate", "dry_run"),
        ("push_image", "return_value"),
        ("approve", "return_value"),
        ("publish_route", "return_value"),
    }
)
"""Task and key of each XCom that an answer reads."""

_STATES = {
    None: "waiting",
    "scheduled": "waiting",
    "queued": "waiting",
    "running": "running",
    "restarting": "running",
    "deferred": "running",
    "awaiting_input": "running",
    "up_for_reschedule": "running",
    "up_for_retry": "retrying",
    "success": "succeeded",
    "skipped": "skipped",
    "upstream_failed": "skipped",
    "removed": "skipped",
    "failed": "failed",
}
"""Word for each task state of Airflow; an unknown state is shown as ``running``."""
_ASKING = frozenset({"deferred", "awaiting_input"})
"""States of the task ``approve`` while it waits for a person."""


@dataclass(frozen=True)
class Task:
    """A task instance of the run."""

    name: str
    state: str | None
    """Airflow's state."""
    try_number: int
    started_at: datetime | None
    ended_at: datetime | None


@dataclass(frozen=True)
class Facts:
    """The rows of one run."""

    run: audit.Run
    note: str
    tasks: Sequence[Task]
    xcoms: Mapping[tuple[str, str], Any]


def summary(facts: Facts) -> dict[str, Any]:
    """The deployment as JSON-compatible data; ``docs/api.md`` describes the fields."""
    run, xcoms = facts.run, facts.xcoms
    tasks = in_order(facts.tasks)
    failed = next((task for task in tasks if task.state == "failed"), None)
    release = _object(xcoms, "validate", "return_value")
    found = release.get("manifest")
    manifest = found if isinstance(found, dict) else dict(run.conf)
    made: dict[str, Any] = {
        "id": run.run_id,
        "state": state(facts),
        **{key: manifest.get(key) for key in ("component", "serviceName", "version")},
        "environment": manifest.get("environment"),
        "requestedBy": run.user,
        "requestedFrom": run.triggered_by,
        "requestedAt": _time(run.requested_at),
        "startedAt": _time(run.started_at),
        "endedAt": _time(run.ended_at),
        "artifact": release.get("artifact"),
        "digest": _object(xcoms, "push_image", "return_value").get("digest"),
        "url": _object(xcoms, "publish_route", "return_value").get("url"),
        "approvedBy": _object(xcoms, "approve", "return_value").get("approvedBy"),
        "failedStep": failed.name if failed and run.state == "failed" else None,
        "error": _sentence(facts, failed),
        "changes": xcoms.get(("validate", "dry_run")),
        "steps": [step(task) for task in tasks],
    }
    return made


def state(facts: Facts) -> str:
    """The state of the deployment, one word or two."""
    states = {task.name: task.state for task in facts.tasks}
    if facts.run.state == "failed":
        if facts.note.startswith(CANCELLED_NOTE):
            return "cancelled"
        for task in in_order(facts.tasks):
            if task.state == "failed":
                return str(facts.xcoms.get((task.name, OUTCOME_KEY)) or "failed")
        return "failed"
    # Until watch_release ends, a crash takes the release back. What follows it is bookkeeping.
    stable = facts.run.state == "success" or states.get("watch_release", "success") == "success"
    if states.get("publish_route") == "success" and stable:
        return "live"
    if facts.run.state == "success":
        return "planned"
    if states.get("approve") in _ASKING:
        return "waiting for approval"
    begun = any(_STATES.get(found, "running") != "waiting" for found in states.values())
    return "running" if begun else "queued"


def step(task: Task) -> dict[str, Any]:
    """A step as JSON-compatible data."""
    word = _STATES.get(task.state, "running")
    if task.name == "approve" and task.state in _ASKING:
        word = "waiting for approval"
    return {
        "name": task.name,
        "state": word,
        "tries": task.try_number,
        "startedAt": _time(task.started_at),
        "endedAt": _time(task.ended_at),
        "seconds": _seconds(task),
    }


def in_order(tasks: Iterable[Task]) -> list[Task]:
    """The tasks in the order of ``STEPS``; tasks of a newer DAG come last, by name."""
    places = {name: at for at, name in enumerate(STEPS)}
    return sorted(tasks, key=lambda task: (places.get(task.name, len(places)), task.name))


def events(made: Mapping[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    """The events that have led to a summary: id, type and data of each.

    The same summary gives the same ids on every API server, so a client that resumes with
    ``Last-Event-ID`` misses nothing. A step's event counts its tries: a retry is a new event.
    """
    found = []
    for at, item in enumerate(made["steps"]):
        if item["state"] != "waiting":
            number = f"{at + 1:02d}"
            words = item["state"].replace(" ", "-")
            found.append((f"{number}-{item['name']}-{item['tries']}-{words}", "step", dict(item)))
    data = {key: value for key, value in made.items() if key != "steps"}
    found.append((f"{STATE_EVENT}{made['state'].replace(' ', '-')}", "deployment", data))
    return found


def _sentence(facts: Facts, failed: Task | None) -> str | None:
    if facts.run.state != "failed":
        return None
    if facts.note.startswith(CANCELLED_NOTE):
        return facts.note
    if failed is None:
        return "The run was ended by hand or took longer than its DAG allows."
    found = facts.xcoms.get((failed.name, "error"))
    return str(found or f"{failed.name} failed without an error sentence; see its log.")


def _object(xcoms: Mapping[tuple[str, str], Any], task: str, key: str) -> dict[str, Any]:
    found = xcoms.get((task, key))
    return found if isinstance(found, dict) else {}


def _time(moment: datetime | None) -> str | None:
    return moment.isoformat(timespec="milliseconds") if moment else None


def _seconds(task: Task) -> float | None:
    if task.started_at is None or task.ended_at is None:
        return None
    return round((task.ended_at - task.started_at).total_seconds(), 2)
