"""The request for a rollback, and the choice of its target."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import Field

from manifest_engine.domain.core import names
from manifest_engine.domain.core.errors import ManifestError
from manifest_engine.domain.manifest import run_conf
from manifest_engine.domain.release import annotations as annotation
from manifest_engine.domain.release import history
from manifest_engine.domain.release import past as releases
from manifest_engine.domain.release.past import PastRelease
from manifest_engine.domain.release.request import ServiceRequest

_DIGEST_MIN = 7
"""Fewest hexadecimal digits that can name a digest, like git's abbreviated commit hashes."""


class RollbackRequest(ServiceRequest):
    """The run conf of ``rollback_service``."""

    version: str | None = Field(
        None,
        max_length=names.TAG_MAX,
        title="Version",
        description="Version, or the beginning of a digest, of a release that the cluster has "
        "kept. Empty: the last release that came up with other code or other settings than the "
        "live one. *Dry run* lists the choices.",
    )
    dry_run: bool = Field(
        False,
        title="Dry run",
        description="List the releases that the cluster has kept, with their differences from the "
        "live one, and show what the rollback would change. Nothing is changed.",
    )
    take_over: bool = Field(
        False,
        title="Take over",
        description="Overwrite the changes by hand that this run finds, for example of `kubectl "
        "scale` or `kubectl set env`.",
    )


def parse(conf: Mapping[str, Any]) -> RollbackRequest:
    """Read a run conf. A blank version counts as missing.

    :raises ManifestError: naming every problem.
    """
    if not str(conf.get("version", "x")).strip():
        conf = {**conf, "version": None}
    return run_conf.parse(RollbackRequest, conf, "rollback")


def choose(asked: RollbackRequest, live: Mapping[str, Any], past: list[PastRelease]) -> PastRelease:
    """The release to roll back to.

    Without a version, this is the last release that came up and whose pods ran other code or other
    settings than the live ones. As with ``kubectl rollout undo``, a second rollback undoes the
    first.

    :raises ManifestError: listing the available releases.
    """
    current = releases.read(annotation.read_annotations(live))
    if asked.version is None:
        steps = [found for found in past if current is None or found.is_step_from(current)]
        for found in _came_up(live, steps):
            return found
        raise ManifestError(
            f"{asked.object_name} has no earlier release that came up with other code or other "
            f"settings in the environment {asked.environment!r}. {available(live, past)}"
        )
    named = asked.version.strip()
    for found in past:
        if named == found.version or _is_digest_of(named, found.digest):
            return found
    if current and (named == current.version or _is_digest_of(named, current.digest)):
        raise ManifestError(f"{named} is live already. {available(live, past)}")
    raise ManifestError(
        f"{asked.object_name} has no release {named!r} in the history of the environment "
        f"{asked.environment!r}. {available(live, past)}"
    )


def available(live: Mapping[str, Any], past: list[PastRelease]) -> str:
    """A sentence that lists the releases with their differences from the live one."""
    if not past:
        return "There is no other release to return to."
    return f"Available, newest first: {'; '.join(choices(live, past))}."


def choices(live: Mapping[str, Any], past: list[PastRelease]) -> list[str]:
    """One line for each release, with its difference from the live one."""
    current = releases.read(annotation.read_annotations(live))
    return [
        f"{found} with {found.difference(current)}" if current else str(found) for found in past
    ]


def _came_up(live: Mapping[str, Any], past: list[PastRelease]) -> Iterator[PastRelease]:
    """The releases whose rollout was completed, the last one first."""
    annotations = annotation.read_annotations(live)
    by_hash = {found.release_hash: found for found in past}
    for good in reversed(history.good_before(annotations)):
        if good in by_hash:
            yield by_hash[good]
    if annotation.GOOD not in annotations:
        # An earlier version of this package recorded the live release. A release that failed was
        # requested later than the release that its rollback restored.
        current = releases.read(annotations)
        yield from (
            found for found in past if current is None or found.requested_at < current.requested_at
        )


def _is_digest_of(asked: str, digest: str) -> bool:
    written = asked.removeprefix("sha256:")
    return len(written) >= _DIGEST_MIN and digest.removeprefix("sha256:").startswith(written)
