"""Which release a rollback returns to: read from what the cluster has kept, and chosen.

The Deployment's annotations tell the live release and hold the objects of the last good one before
it; its ReplicaSets bear the annotations of those further back (``resources.HISTORY_LIMIT``).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from pydantic import ConfigDict, Field, ValidationError

from manifest_engine.domain.core import names, problems
from manifest_engine.domain.core.errors import ManifestError
from manifest_engine.domain.core.model import Model
from manifest_engine.domain.manifest import run_conf
from manifest_engine.domain.manifest.manifest import Manifest
from manifest_engine.domain.release import annotations as annotation

DIGEST_SHOWN = len("sha256:") + 12
_DIGEST_SHORTEST = 7
"""Hexadecimal digits that name a digest, as git takes them of a commit."""


class RollbackRequest(Model):
    """The run conf of ``rollback_service``."""

    component: str = Field(min_length=1, max_length=names.LABEL_MAX)
    service_name: str = Field(min_length=1, max_length=names.LABEL_MAX)
    environment: str = Field(max_length=names.LABEL_MAX)
    version: str | None = Field(
        None,
        max_length=names.TAG_MAX,
        title="Version",
        description="Version, or the beginning of a digest, of a release that the cluster has "
        "kept. Empty: the release before the live one.",
    )

    @property
    def object_name(self) -> str:
        return names.object_name(self.component, self.service_name)


class PastRelease(Model):
    """A release as the cluster remembers it."""

    model_config = ConfigDict(validate_by_name=True)

    manifest: dict[str, Any]
    digest: str
    artifact_sha256: str | None = None
    built_from: dict[str, Any] | None = None
    release_hash: str
    run_id: str
    requested_at: datetime
    requested_by: str

    @property
    def version(self) -> str:
        return str(self.manifest.get("version", "?"))

    def __str__(self) -> str:
        return (
            f"{self.version} ({self.digest[:DIGEST_SHOWN]}, {self.requested_at:%Y-%m-%d %H:%M} by "
            f"{self.requested_by})"
        )

    def manifest_for(self, environment: str) -> Manifest:
        """As recorded. Two environments can name one namespace: the one that was asked for counts.

        :raises ValidationError: when this version of the package refuses what an earlier one took.
        """
        return Manifest.model_validate(self.manifest | {"environment": environment})


def parse(conf: Mapping[str, Any]) -> RollbackRequest:
    """Read a run conf; null counts as not given, and so does a version of blanks.

    :raises ManifestError: naming every problem.
    """
    run_conf.require_small(conf)
    run_conf.require_printable(conf)
    given = {key: value for key, value in conf.items() if value is not None}
    if not str(given.get("version", "x")).strip():
        del given["version"]
    try:
        return RollbackRequest.model_validate(given)
    except ValidationError as error:
        found = problems.sentences(error, RollbackRequest)
        raise ManifestError(f"The rollback is not valid: {found}.") from None


def past_releases(
    live: Mapping[str, Any], replica_sets: Iterable[Mapping[str, Any]]
) -> list[PastRelease]:
    """All releases that can be returned to, the newest first, without the live one."""
    current = annotation.read_annotations(live)
    last_good = _last_good(current)
    found: dict[str, PastRelease] = {}
    for notes in (
        *map(annotation.read_annotations, replica_sets),
        *([last_good] if last_good else []),
    ):
        past = _read(notes)
        if past and past.release_hash != current.get(annotation.RELEASE_HASH):
            found.setdefault(past.release_hash, past)
    return sorted(found.values(), key=lambda past: past.requested_at, reverse=True)


def choose(
    request: RollbackRequest, live: Mapping[str, Any], past: list[PastRelease]
) -> PastRelease:
    """The release that is asked for.

    Without a version: the one that the live release replaced after it had come up, since what
    failed in between was never the service. That is how ``kubectl rollout undo`` goes, too: a
    second rollback returns to where the first one came from.

    :raises ManifestError: listing the releases that there are.
    """
    if request.version is None:
        last_good = _last_good(annotation.read_annotations(live))
        before = _read(last_good) if last_good else None
        return before or _asked_for_before(request, live, past)
    asked = request.version.strip()
    for found in past:
        if asked == found.version or _is_digest_of(asked, found.digest):
            return found
    current = _read(annotation.read_annotations(live))
    if current and (asked == current.version or _is_digest_of(asked, current.digest)):
        raise ManifestError(f"{asked} is live already. {available(past)}")
    raise ManifestError(
        f"{request.object_name} has no release {asked!r} in the history of the environment "
        f"{request.environment!r}. {available(past)}"
    )


def available(past: list[PastRelease]) -> str:
    """The choices as a sentence."""
    if not past:
        return "There is no other release to return to."
    return f"To return to, newest first: {'; '.join(map(str, past))}."


def _asked_for_before(
    request: RollbackRequest, live: Mapping[str, Any], past: list[PastRelease]
) -> PastRelease:
    """After a roll back by itself the note is gone; what failed was asked for later."""
    current = _read(annotation.read_annotations(live))
    for found in past:
        if current is None or found.requested_at < current.requested_at:
            return found
    raise ManifestError(
        f"{request.object_name} has no release before the live one in the environment "
        f"{request.environment!r}. {available(past)}"
    )


def _last_good(notes: Mapping[str, str]) -> dict[str, str] | None:
    objects = annotation.unpack(notes.get(annotation.LAST_GOOD))
    return annotation.read_annotations(objects[0]) if objects else None


def _read(notes: Mapping[str, str]) -> PastRelease | None:
    """None for what no release of ours wrote."""
    try:
        return PastRelease(
            manifest=json.loads(notes[annotation.MANIFEST]),
            digest=notes[annotation.DIGEST],
            artifact_sha256=notes.get(annotation.ARTIFACT_SHA256),
            built_from=json.loads(notes.get(annotation.BUILT_FROM, "null")),
            release_hash=notes[annotation.RELEASE_HASH],
            run_id=notes[annotation.RUN_ID],
            requested_at=datetime.fromisoformat(notes[annotation.REQUESTED_AT]),
            requested_by=notes[annotation.REQUESTED_BY],
        )
    except (KeyError, ValueError):
        return None


def _is_digest_of(asked: str, digest: str) -> bool:
    written = asked.removeprefix("sha256:")
    return len(written) >= _DIGEST_SHORTEST and digest.removeprefix("sha256:").startswith(written)
