"""Read the past releases of a service from the cluster, and choose the target of a rollback.

The Deployment's annotations describe the live release and contain the objects of the last good
release before it. The annotations of its ReplicaSets describe older releases
(``resources.HISTORY_LIMIT``).
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
_DIGEST_MIN = 7
"""Fewest hexadecimal digits that can name a digest, like git's abbreviated commit hashes."""


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

    @property
    def version(self) -> str:
        return str(self.manifest.get("version", "?"))

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


def parse(conf: Mapping[str, Any]) -> RollbackRequest:
    """Read a run conf. A null field and a blank version count as missing.

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
    """All releases that a rollback can return to, newest first, without the live release."""
    current = annotation.read_annotations(live)
    last_good = _last_good(current)
    found: dict[str, PastRelease] = {}
    for recorded in (
        *map(annotation.read_annotations, replica_sets),
        *([last_good] if last_good else []),
    ):
        past = _read(recorded)
        if past and past.release_hash != current.get(annotation.RELEASE_HASH):
            found.setdefault(past.release_hash, past)
    return sorted(found.values(), key=lambda past: past.requested_at, reverse=True)


def choose(
    request: RollbackRequest, live: Mapping[str, Any], past: list[PastRelease]
) -> PastRelease:
    """The release to roll back to.

    Without a version, this is the last good release before the live one; failed releases in
    between are skipped. As with ``kubectl rollout undo``, a second rollback undoes the first.

    :raises ManifestError: listing the available releases.
    """
    if request.version is None:
        last_good = _last_good(annotation.read_annotations(live))
        before = _read(last_good) if last_good else None
        return before or _requested_before(request, live, past)
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
    """A sentence that lists the releases."""
    if not past:
        return "There is no other release to return to."
    return f"Available, newest first: {'; '.join(map(str, past))}."


def _requested_before(
    request: RollbackRequest, live: Mapping[str, Any], past: list[PastRelease]
) -> PastRelease:
    """The newest release that was requested before the live one.

    An automatic rollback removes the last good release from the annotations. The release that
    failed was requested later than the live one, so this search skips it.
    """
    current = _read(annotation.read_annotations(live))
    for found in past:
        if current is None or found.requested_at < current.requested_at:
            return found
    raise ManifestError(
        f"{request.object_name} has no release before the live one in the environment "
        f"{request.environment!r}. {available(past)}"
    )


def _last_good(annotations: Mapping[str, str]) -> dict[str, str] | None:
    objects = annotation.unpack(annotations.get(annotation.LAST_GOOD))
    return annotation.read_annotations(objects[0]) if objects else None


def _read(annotations: Mapping[str, str]) -> PastRelease | None:
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
        )
    except (KeyError, ValueError):
        return None


def _is_digest_of(asked: str, digest: str) -> bool:
    written = asked.removeprefix("sha256:")
    return len(written) >= _DIGEST_MIN and digest.removeprefix("sha256:").startswith(written)
