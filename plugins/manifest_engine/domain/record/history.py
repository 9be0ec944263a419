"""The runs of a service, and what differs between two of its deployments."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from manifest_engine.domain.record import audit, deployment
from manifest_engine.domain.record.redaction import redacted

REMOVE = "remove_service"
_FIELDS_MAX = 500
"""Fields of one difference."""


class Place(NamedTuple):
    """A service in an environment."""

    component: str
    service_name: str
    environment: str


@dataclass(frozen=True, slots=True)
class Recorded:
    """A run of ours, with the few fields of its conf that tell its service."""

    number: int
    """Number of the run's row in Airflow's database; a later run has a higher number."""
    dag_id: str
    run_id: str
    state: str
    """Airflow's state."""
    requested_at: datetime | None
    requested_by: str | None
    environment: str | None
    component: str | None
    service_name: str | None
    version: str | None
    dry_run: bool = False
    rebuild: bool = False

    @property
    def place(self) -> Place:
        return Place(self.component or "", self.service_name or "", self.environment or "")

    @property
    def action(self) -> str:
        """``deploy``, ``rebuild``, ``rollback``, ``restart`` or ``remove``."""
        return audit.REBUILD if self.rebuild else audit.ACTIONS[self.dag_id]

    @property
    def has_ended(self) -> bool:
        return self.state in ("success", "failed")


def live_run(runs: list[Recorded]) -> Recorded | None:
    """The run that made the live release, as far as the runs tell; None when there is none.

    :param runs: the newest first.
    """
    for run in runs:
        if run.state == "success" and not run.dry_run:
            return None if run.dag_id == REMOVE else run
    return None


def difference(before: deployment.Facts, after: deployment.Facts) -> dict[str, Any]:
    """What differs between two deployments, as JSON-compatible data.

    Values that may be secret are hidden as in the audit; a hidden value that differs is listed.
    """
    old, new = deployment.summary(before), deployment.summary(after)
    fields = _fields(deployment.manifest(before), deployment.manifest(after))
    return {
        "from": _shown(old),
        "to": _shown(new),
        "manifest": fields[:_FIELDS_MAX],
        "sameArtifact": _same(old, new, "artifactSha256"),
        "sameImage": _same(old, new, "digest"),
        "bases": _changes(deployment.bases(before), deployment.bases(after)),
    }


def _fields(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The manifest's fields that differ, by dotted name."""
    was, now = dict(_flat(old)), dict(_flat(new))
    shown_was, shown_now = dict(_flat(redacted(old))), dict(_flat(redacted(new)))
    return [
        {"field": key, "from": shown_was.get(key), "to": shown_now.get(key)}
        for key in sorted(was.keys() | now.keys())
        if was.get(key) != now.get(key) and not key.startswith("rebuild.")
    ]


def _changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        {"field": key, "from": old.get(key), "to": new.get(key)}
        for key in sorted(old.keys() | new.keys())
        if old.get(key) != new.get(key)
    ]


def _flat(value: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    for key, item in value.items():
        if isinstance(item, dict):
            yield from _flat(item, f"{path}{key}.")
        elif item is not None:
            yield path + str(key), item


def _same(old: Mapping[str, Any], new: Mapping[str, Any], key: str) -> bool | None:
    """None when one of both is not known."""
    return None if old[key] is None or new[key] is None else old[key] == new[key]


def _shown(made: Mapping[str, Any]) -> dict[str, Any]:
    keys = ("id", "action", "state", "environment", "version", "digest", "artifact")
    more = ("artifactSha256", "requestedAt", "requestedBy")
    return {key: made[key] for key in (*keys, *more)}
