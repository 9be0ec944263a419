"""The description of a deployment in the API: its state, its steps and its result.

Rollbacks, restarts and removals are deployments with another ``action``. The input is Airflow's
record of the run.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from manifest_engine.domain.core import names, printable
from manifest_engine.domain.record import audit

DEPLOY = "deploy_service"
DAGS = (DEPLOY, "rollback_service", "restart_service", "remove_service")
"""The DAGs that change one service."""
NIGHTLY = "rebuild_services"
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
ALL_STEPS = (*audit.VALIDATE, *STEPS[1:], "remove_route", "remove_workload", "record_removal")
"""The tasks of all ``DAGS``, in order."""
OUTCOME_KEY = "outcome"
"""XCom key of the ``outcome`` of a failed step's error."""
BASES_KEY = "bases"
"""XCom key of ``rebuild_services``: the digests of base images that the nightly run found."""
ENDED = frozenset(
    {"live", "planned", "removed", "failed", "rolled back", "superseded", "cancelled"}
)
"""States in which nothing changes any more."""
_NOTE_MAX = 130
"""Limit for each part of a run's note, in characters. Airflow allows 1,000 for a note."""
CANCELLED_NOTE = "Cancelled by "
"""Beginning of the note of a run that was cancelled over the API."""
STATE_EVENT = "99-"
"""Beginning of the id of an event about the state of the deployment; it sorts after all steps."""
_ARTIFACT = (
    ("download_artifact", "return_value"),
    ("validate_rollback", "artifact"),
    ("validate_restart", "artifact"),
)
_CHANGES = (("validate", "dry_run"), ("validate_rollback", "dry_run"))
_CHOICES = ("validate_rollback", "choices")
_BUILT = (("build_image", "return_value"),)
ERRORS = frozenset((step, key) for step in ALL_STEPS for key in ("error", OUTCOME_KEY))
"""Task and key of each XCom that determines the state and the error sentence."""
PLACES = frozenset(
    {*ERRORS, *audit.RELEASE, *audit.PUSHED, *audit.PUBLISHED, *audit.APPROVED}
    | {*_ARTIFACT, *_CHANGES, _CHOICES, *_BUILT}
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
    run, xcoms, ended = facts.run, facts.xcoms, outcome(facts)
    release, asked = audit.first_object(xcoms, *audit.RELEASE), manifest(facts)
    made: dict[str, Any] = {
        "id": run.run_id,
        "action": "rebuild" if asked.get("rebuild") else audit.ACTIONS.get(run.dag_id, run.dag_id),
        "state": ended["state"],
        **{key: _text(asked.get(key)) for key in ("component", "serviceName", "version")},
        "environment": _text(asked.get("environment")),
        "requestedBy": run.user,
        "requestedFrom": run.triggered_by,
        "requestedAt": audit.time_text(run.requested_at),
        "startedAt": audit.time_text(run.started_at),
        "endedAt": audit.time_text(run.ended_at),
        "artifact": _artifact(release, asked),
        "artifactSha256": audit.first_object(xcoms, *_ARTIFACT).get("sha256"),
        "digest": audit.first_object(xcoms, *audit.PUSHED).get("digest"),
        "url": audit.first_object(xcoms, *audit.PUBLISHED).get("url"),
        "approvedBy": audit.first_object(xcoms, *audit.APPROVED).get("approvedBy"),
        "failedStep": ended["failedStep"],
        "error": ended["error"],
        "changes": next((xcoms[place] for place in _CHANGES if place in xcoms), None),
        "choices": xcoms.get(_CHOICES),
        "steps": [step(task) for task in in_order(facts.tasks)],
    }
    return made


def outcome(facts: Facts) -> dict[str, Any]:
    """``state``, ``failedStep`` and ``error`` of the deployment. They need only :data:`ERRORS`."""
    failed = next((task for task in in_order(facts.tasks) if task.state == "failed"), None)
    return {
        "state": state(facts),
        "failedStep": failed.name if failed and facts.run.state == "failed" else None,
        "error": _sentence(facts, failed),
    }


def manifest(facts: Facts) -> dict[str, Any]:
    """The validated manifest with its defaults, or the run's conf if validation failed."""
    found = audit.first_object(facts.xcoms, *audit.RELEASE).get("manifest")
    return found if isinstance(found, dict) else dict(facts.run.conf)


def note(dag_id: str, conf: Mapping[str, Any]) -> str:
    """A summary of a run in one line, such as ``deploy pricing-quotes 1.4.0 to dev``."""

    def of(key: str) -> str:
        return printable.excerpt(str(conf.get(key) or "")[:_NOTE_MAX], _NOTE_MAX)

    action = audit.REBUILD if conf.get("rebuild") else audit.ACTIONS.get(dag_id, dag_id)
    service = "-".join(filter(None, (of("component"), of("serviceName"))))
    words = ["dry run of" if conf.get("dryRun") else "", action, service, of("version")]
    if where := of("environment"):
        words += [{"deploy": "to", "remove": "from"}.get(action, "in"), where]
    return " ".join(filter(None, words))


def bases(facts: Facts) -> dict[str, str]:
    """The base images of the deployment's image, by reference; empty when none are recorded."""
    for place in (*_BUILT, *audit.PUSHED):
        built = audit.first_object(facts.xcoms, place).get("builtFrom")
        if isinstance(built, dict) and isinstance(found := built.get("bases"), dict):
            return found
    return {}


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
        return "removed" if facts.run.dag_id == "remove_service" else "planned"
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
        "startedAt": audit.time_text(task.started_at),
        "endedAt": audit.time_text(task.ended_at),
        "seconds": _seconds(task),
    }


def in_order(tasks: Iterable[Task]) -> list[Task]:
    """The tasks in the order of their DAG; unknown tasks come last, by name."""
    places = {name: at for at, name in enumerate(ALL_STEPS)}
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


def _artifact(release: Mapping[str, Any], asked: Mapping[str, Any]) -> str | None:
    """Path of the ZIP as in the manifest, or by the naming convention."""
    try:
        found = asked.get("artifact") or names.artifact_path(
            release["environment"]["artifactory"]["repository"],
            *(asked[key] for key in ("component", "serviceName", "version")),
        )
    except (KeyError, TypeError):
        return None
    return _text(found)


def _text(value: Any) -> str | None:
    """A value of the unvalidated conf, made printable."""
    return printable.excerpt(value) if isinstance(value, str) else None


def _seconds(task: Task) -> float | None:
    if task.started_at is None or task.ended_at is None:
        return None
    return round((task.ended_at - task.started_at).total_seconds(), 2)
