"""Annotations of our objects in the cluster: the record of a release.

They stand on the Deployment alone, never on its pods, so that a changed annotation restarts
nothing. Kubernetes copies them to the ReplicaSets, which thereby become the history.
"""

from __future__ import annotations

import base64
import binascii
import gzip
import hashlib
import json
from collections.abc import Mapping
from typing import Any

from manifest_engine.domain.release.labels import PREFIX
from manifest_engine.domain.release.release import Release

MANIFEST = PREFIX + "manifest"
DIGEST = PREFIX + "digest"
ARTIFACT = PREFIX + "artifact"
ARTIFACT_SHA256 = PREFIX + "artifact-sha256"
RELEASE_HASH = PREFIX + "release-hash"
RUN_ID = PREFIX + "run-id"
REQUESTED_BY = PREFIX + "requested-by"
REQUESTED_AT = PREFIX + "requested-at"
RENEWS_REQUEST_AT = PREFIX + "renews-request-at"
"""On a rebuild: when the deployment that it renews was asked for."""
BUILT_FROM = PREFIX + "built-from"
"""What the image was built from, besides the artifact (``domain.release.provenance``)."""
ROLLED_BACK_FROM = PREFIX + "rolled-back-from"
"""The same of the image that a person left by a rollback: no rebuild makes that one again."""
OBJECTS = PREFIX + "objects"
"""The release's own objects, packed: what a later rollback applies again."""
LAST_GOOD = PREFIX + "last-good"
"""The packed objects of the release to return to if this one fails."""
REPLACES = PREFIX + "replaces"
"""On a route: the kind of the service's former one, which goes once this one answers."""
FORMER_ROUTES = PREFIX + "former-routes"
"""On a route that is not verified yet: the packed routes that the service had before."""
FIRST = PREFIX + "first-release"
"""On a release before which there was nothing: if it fails, what it added goes away."""

ABOUT_THE_RUN = (RUN_ID, REQUESTED_BY, REQUESTED_AT, RENEWS_REQUEST_AT)
"""Left as they are when a run changes nothing else, so that it changes nothing at all."""

TOTAL_ANNOTATIONS_MAX = 256 * 1024
"""apimachinery, ``validation.TotalAnnotationSizeLimitB``: keys and values of one object."""
OBJECTS_MAX = 92 * 1024
"""Of one release's packed objects. A manifest of 64 KiB, these twice (this release's, and those of
the release to return to) and the short annotations fit in that total."""


def of_release(release: Release, digest: str, artifact: Mapping[str, Any]) -> dict[str, str]:
    """Annotations that follow from manifest, artifact and image."""
    found = {
        MANIFEST: json.dumps(manifest(release), ensure_ascii=False, separators=(",", ":")),
        DIGEST: digest,
        ARTIFACT: release.artifact,
    }
    if artifact.get("sha256"):
        found[ARTIFACT_SHA256] = str(artifact["sha256"])
    return found


def manifest(release: Release) -> dict[str, Any]:
    """The manifest as it is recorded: what the service is, not what a run was to do with it."""
    return release.manifest.model_dump(
        mode="json", by_alias=True, exclude_none=True, exclude={"dry_run", "rebuild"}
    )


def of_run(release: Release) -> dict[str, str]:
    """Annotations that tell who asked for it, when, in which run."""
    found = {
        RUN_ID: release.run_id,
        REQUESTED_BY: release.requested_by,
        REQUESTED_AT: release.requested_at.isoformat(),
    }
    if release.renews_request_at:
        found[RENEWS_REQUEST_AT] = release.renews_request_at.isoformat()
    return found


def release_hash(objects: list[dict[str, Any]]) -> str:
    """Equal for two runs that want the same in the cluster."""
    text = json.dumps(objects, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def pack(objects: list[dict[str, Any]]) -> str:
    """Objects as one annotation value, the same for the same objects."""
    text = json.dumps(objects, sort_keys=True, separators=(",", ":"))
    return base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode()


def unpack(text: str | None) -> list[dict[str, Any]] | None:
    """The objects of an annotation value; None when there is none or it is damaged."""
    if not text:
        return None
    try:
        found = json.loads(gzip.decompress(base64.b64decode(text, validate=True)))
    except (binascii.Error, OSError, EOFError, ValueError):
        return None
    return found if isinstance(found, list) else None


def read_annotations(an_object: Mapping[str, Any] | None) -> dict[str, str]:
    """The annotations of an object as the API gives it; empty when it has none or is not there."""
    metadata = (an_object or {}).get("metadata") or {}
    return dict(metadata.get("annotations") or {})
