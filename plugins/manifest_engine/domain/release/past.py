"""The releases of a service that the cluster has kept, and how each differs from the live one.

The Deployment's annotations describe the live release and contain the objects of the last good
release before it. The annotations of its ReplicaSets describe older releases
(``resources.HISTORY_LIMIT``).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from pydantic import ConfigDict, ValidationError

from manifest_engine.domain.core.model import Model
from manifest_engine.domain.manifest.manifest import Manifest
from manifest_engine.domain.release import annotations as annotation

DIGEST_SHOWN = len("sha256:") + 12
_NOT_THE_SERVICE = ("environment", "notes", "owner")
"""Fields of a manifest that are neither code nor settings of the service."""
_FIELDS_SHOWN = 6


class PastRelease(Model):
    """A release as recorded in the cluster."""

    model_config = ConfigDict(validate_by_name=True)

    manifest: dict[str, Any]
    digest: str
    artifact_sha256: str | None = None
    provenance: dict[str, Any] | None = None
    release_hash: str
    run_id: str
    requested_at: datetime
    requested_by: str
    template: dict[str, Any] | None = None
    """The pod template as it was applied; None when the record has none."""

    @property
    def version(self) -> str:
        return str(self.manifest.get("version", "?"))

    @property
    def internal(self) -> bool:
        """Whether the release has no public route."""
        return bool(self.manifest.get("internal"))

    def __str__(self) -> str:
        return (
            f"{self.version} ({self.digest[:DIGEST_SHOWN]}, {self.requested_at:%Y-%m-%d %H:%M} by "
            f"{self.requested_by})"
        )

    def manifest_for(self, environment: str) -> Manifest:
        """The recorded manifest for the requested environment.

        Two environments can share one namespace, so the recorded environment can be another one.

        :raises ValidationError: when this version of the package rejects the recorded manifest.
        """
        return Manifest.model_validate(self.manifest | {"environment": environment})

    def is_step_from(self, live: PastRelease) -> bool:
        """Whether a rollback to this release changes the code, the settings in the pods, or whether
        the service is public.

        A rebuild does not change the code. Templates can also differ because ``environments.yaml``
        or this package has changed, and a rollback does not undo such a change.
        """
        if self._has_other_code(live) or self.internal != live.internal:
            return True
        return bool(self._other_settings(live)) and self._other_template(live)

    def difference(self, live: PastRelease) -> str:
        """How this release differs from the live one, such as ``other code, other env.LEVEL``."""
        found = []
        if self._has_other_code(live):
            found.append("other code")
        elif self.digest != live.digest:
            found.append("the same code in another image")
        settings = [name for name in self._other_settings(live) if name != "version"]
        if settings:
            more = len(settings) - _FIELDS_SHOWN
            shown = ", ".join(settings[:_FIELDS_SHOWN])
            found.append(f"other {shown}" + (f" and {more} more fields" if more > 0 else ""))
        return ", ".join(found) or "the same code and settings"

    def _has_other_code(self, live: PastRelease) -> bool:
        if self.artifact_sha256 and live.artifact_sha256:
            return self.artifact_sha256 != live.artifact_sha256
        return self.digest != live.digest

    def _other_settings(self, live: PastRelease) -> list[str]:
        """Names of the manifest's fields that differ; fields that describe no service aside."""
        mine, other = (dict(_flat(_with_defaults(item.manifest))) for item in (self, live))
        return sorted(key for key in mine.keys() | other.keys() if mine.get(key) != other.get(key))

    def _other_template(self, live: PastRelease) -> bool:
        return self.template is None or live.template is None or self.template != live.template


def past_releases(
    live: Mapping[str, Any], replica_sets: Iterable[Mapping[str, Any]]
) -> list[PastRelease]:
    """All releases that a rollback can return to, newest first, without the live release."""
    current = annotation.read_annotations(live)
    last_good = last_good_annotations(current)
    found: dict[str, PastRelease] = {}
    for recorded in (
        *map(annotation.read_annotations, replica_sets),
        *([last_good] if last_good else []),
    ):
        past = read(recorded)
        if past and past.release_hash != current.get(annotation.RELEASE_HASH):
            found.setdefault(past.release_hash, past)
    return sorted(found.values(), key=lambda past: past.requested_at, reverse=True)


def last_good_annotations(annotations: Mapping[str, str]) -> dict[str, str] | None:
    """Annotations of the last good release, with its objects; None without a record."""
    objects = annotation.unpack(annotations.get(annotation.LAST_GOOD))
    if not objects:
        return None
    packed = {annotation.OBJECTS: annotations[annotation.LAST_GOOD]}
    return annotation.read_annotations(objects[0]) | packed


def read(annotations: Mapping[str, str]) -> PastRelease | None:
    """The recorded release; None when Manifest Engine did not write the annotations."""
    try:
        return PastRelease(
            manifest=json.loads(annotations[annotation.MANIFEST]),
            digest=annotations[annotation.DIGEST],
            artifact_sha256=annotations.get(annotation.ARTIFACT_SHA256),
            provenance=json.loads(annotations.get(annotation.BUILT_FROM, "null")),
            release_hash=annotations[annotation.RELEASE_HASH],
            run_id=annotations[annotation.RUN_ID],
            requested_at=datetime.fromisoformat(annotations[annotation.REQUESTED_AT]),
            requested_by=annotations[annotation.REQUESTED_BY],
            template=_template(annotations),
        )
    except (KeyError, ValueError):
        return None


def _template(annotations: Mapping[str, str]) -> dict[str, Any] | None:
    """The recorded pod template without what changes with each rebuild or restart."""
    objects = annotation.unpack(annotations.get(annotation.OBJECTS))
    if not objects:
        return None
    template: dict[str, Any] = objects[0]["spec"]["template"]
    for key in (annotation.READS, annotation.RESTARTED_AT):
        template["metadata"].get("annotations", {}).pop(key, None)
    if not template["metadata"].get("annotations"):
        template["metadata"].pop("annotations", None)
    for container in template["spec"]["containers"]:
        container.pop("image", None)
    return template


def _with_defaults(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """The manifest with the defaults of fields that are newer than its record."""
    try:
        made = Manifest.model_validate(manifest).model_dump(
            mode="json", by_alias=True, exclude_none=True
        )
    except ValidationError:
        made = dict(manifest)
    return {key: value for key, value in made.items() if key not in _NOT_THE_SERVICE}


def _flat(value: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    for key, item in value.items():
        if isinstance(item, dict):
            yield from _flat(item, f"{path}{key}.")
        else:
            yield path + key, item
