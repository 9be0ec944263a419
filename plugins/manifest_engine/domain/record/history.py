"""The runs of a service, and the difference between two deployments."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from manifest_engine.domain.record import audit, deployment
from manifest_engine.domain.record.redaction import redacted

REMOVE = "remove_service"
_FIELDS_MAX = 500
"""Maximum number of the manifest's fields in one difference."""


class Place(NamedTuple):
    """A service in an environment."""

    component: str
    service_name: str
    environment: str


@dataclass(frozen=True, slots=True)
class Recorded:
    """A run that changes a service, with a few fields of its conf."""

    number: int
    """Row number of the run in Airflow's database; later runs have higher numbers."""
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
    """The last successful run, which made the live release; None if it removed the service.

    :param runs: runs of one service, the newest first.
    """
    for run in runs:
        if run.state == "success" and not run.dry_run:
            return None if run.dag_id == REMOVE else run
    return None


def difference(before: deployment.Facts, after: deployment.Facts) -> dict[str, Any]:
    """The difference between two deployments, as JSON-compatible data.

    Values that may be secret are hidden as in the audit, but their fields are listed.
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
    """Whether the values are equal; None if a value is unknown."""
    return None if old[key] is None or new[key] is None else old[key] == new[key]


def _shown(made: Mapping[str, Any]) -> dict[str, Any]:
    keys = ("id", "action", "state", "environment", "version", "digest", "artifact")
    more = ("artifactSha256", "requestedAt", "requestedBy")
    return {key: made[key] for key in (*keys, *more)}
