"""Annotations that record a release in the cluster.

The Deployment carries them, its pod template does not, so a changed annotation restarts no pod.
Only ``READS`` and ``RESTARTED_AT``, which exist to restart pods, are on the pod template.
Kubernetes copies the annotations to the ReplicaSets, which serve as the release history.
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
"""On a rebuild: the request time of the deployment that the rebuild renews."""
BUILT_FROM = PREFIX + "built-from"
"""Provenance of the image, besides the artifact (``domain.release.provenance``)."""
ROLLED_BACK_FROM = PREFIX + "rolled-back-from"
"""Provenance of the image that a rollback replaced. A rebuild must not build that image again."""
OBJECTS = PREFIX + "objects"
"""The packed objects of this release, which a later rollback applies."""
LAST_GOOD = PREFIX + "last-good"
"""The packed objects of the release that is restored if this release fails."""
GOOD = PREFIX + "good"
"""Hashes of the releases that came up before this release, the last one last."""
REPLACES = PREFIX + "replaces"
"""On a route: the kind of the former route, which is deleted once the new route answers."""
FORMER_ROUTES = PREFIX + "former-routes"
"""On a route that is not verified yet: the packed former routes of the service."""
REMOVED = PREFIX + "removed"
"""On the Lease of a removed service: the run, the requester and the request time of the removal."""
FIRST = PREFIX + "first-release"
"""On a first release: if the release fails, its objects are deleted."""

READS = PREFIX + "reads"
"""On the pod template: the versions of the Secrets and ConfigMaps that the pods read."""
RESTARTED_AT = PREFIX + "restarted-at"
"""On the pod template: the request time of the last run that restarted the pods."""

ABOUT_THE_RUN = (RUN_ID, REQUESTED_BY, REQUESTED_AT, RENEWS_REQUEST_AT)
"""A run that deploys the live release again keeps these annotations, so it changes no object."""

TOTAL_ANNOTATIONS_MAX = 256 * 1024
"""Bytes of all keys and values on one object (apimachinery, ``TotalAnnotationSizeLimitB``)."""
OBJECTS_MAX = 92 * 1024
"""Bytes of one release's packed objects. The total has room for a manifest of 64 KiB, the packed
objects of two releases (this release and the last good one) and the short annotations."""


def of_release(release: Release, digest: str, artifact: Mapping[str, Any]) -> dict[str, str]:
    """Annotations that describe the manifest, the artifact and the image."""
    found = {
        MANIFEST: json.dumps(manifest(release), ensure_ascii=False, separators=(",", ":")),
        DIGEST: digest,
        ARTIFACT: release.artifact,
    }
    if artifact.get("sha256"):
        found[ARTIFACT_SHA256] = str(artifact["sha256"])
    return found


def manifest(release: Release) -> dict[str, Any]:
    """The recorded manifest: the fields that describe the service, without those for one run."""
    return release.manifest.model_dump(
        mode="json",
        by_alias=True,
        exclude_none=True,
        exclude={"dry_run", "restart", "rebuild", "take_over"},
    )


def of_run(release: Release) -> dict[str, str]:
    """Annotations that name the run, the requester and the request time."""
    found = {
        RUN_ID: release.run_id,
        REQUESTED_BY: release.requested_by,
        REQUESTED_AT: release.requested_at.isoformat(),
    }
    if release.renews_request_at:
        found[RENEWS_REQUEST_AT] = release.renews_request_at.isoformat()
    return found


def release_hash(objects: list[dict[str, Any]]) -> str:
    """A hash that is equal for two runs with the same objects."""
    text = json.dumps(objects, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def pack(objects: list[dict[str, Any]]) -> str:
    """Encode objects as one annotation value; equal objects give equal values."""
    text = json.dumps(objects, sort_keys=True, separators=(",", ":"))
    return base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode()


def unpack(text: str | None) -> list[dict[str, Any]] | None:
    """Decode an annotation value; None when the value is missing or damaged."""
    if not text:
        return None
    try:
        found = json.loads(gzip.decompress(base64.b64decode(text, validate=True)))
    except (binascii.Error, OSError, EOFError, ValueError):
        return None
    return found if isinstance(found, list) else None


def recorded_manifest(annotations: Mapping[str, str]) -> dict[str, Any]:
    """The manifest in the annotations of a Deployment; empty without a readable record."""
    try:
        found = json.loads(annotations.get(MANIFEST, "{}"))
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def is_internal(live: Mapping[str, Any] | None) -> bool:
    """Whether the release of a live Deployment has no public route."""
    return bool(recorded_manifest(read_annotations(live)).get("internal"))


def read_annotations(an_object: Mapping[str, Any] | None) -> dict[str, str]:
    """The annotations of an API object; empty for None and for an object without annotations."""
    metadata = (an_object or {}).get("metadata") or {}
    return dict(metadata.get("annotations") or {})
