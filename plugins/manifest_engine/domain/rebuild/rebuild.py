"""A rebuild of the live release: whether the rebuild may go on, and which release it deploys.

A rebuild only renews base images and packages. Its manifest and artifact are those of the live
release, and any change that a person made meanwhile wins.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from manifest_engine.domain.core import names
from manifest_engine.domain.manifest.manifest import Manifest
from manifest_engine.domain.release import annotations as annotation
from manifest_engine.domain.release.release import Release

REQUESTED_BY = "rebuild_services"
"""The requester of a rebuild that the schedule started."""
SKIPPED = "skipped"
"""XCom key: the sentence that says why a run changed nothing."""


def outdated(release: Release, live: Mapping[str, Any] | None) -> str | None:
    """Why the rebuild must not go on, as a sentence; None when it may.

    :param live: the live Deployment.
    """
    planned = release.manifest.rebuild
    if planned is None:
        return None
    annotations = annotation.read_annotations(live)
    if live is None or live["metadata"].get("deletionTimestamp"):
        return f"{release.name} was removed after the rebuild was planned; the rebuild was skipped."
    run_id = annotations.get(annotation.RUN_ID)
    applied = run_id == release.run_id  # by an earlier try of this run
    if not applied and annotations.get(annotation.RELEASE_HASH) != planned.release_hash:
        return (
            f"{release.name} was deployed again after the rebuild was planned, by run {run_id} of "
            f"{annotations.get(annotation.REQUESTED_BY, 'somebody')}; the rebuild was skipped."
        )
    manifest = release.manifest.model_copy(update={"rebuild": None, "dry_run": False})
    sha256 = annotations.get(annotation.ARTIFACT_SHA256)
    if planned.artifact_sha256 != sha256 or _recorded(annotations) != manifest:
        return (
            f"The manifest or the artifact of this run differs from the live release of "
            f"{release.name}, so this is not a rebuild; deploy without the field rebuild."
        )
    return None


def release_of(planned: Release, live: Mapping[str, Any]) -> Release:
    """The release with a tag of its own and with the request time of the live release.

    The rebuild therefore does not supersede a deployment that was requested before the rebuild and
    is applied after it.
    """
    annotations = annotation.read_annotations(live)
    requested_at = annotations.get(annotation.RENEWS_REQUEST_AT) or annotations.get(
        annotation.REQUESTED_AT
    )
    return planned.model_copy(
        update={
            "tag": names.rebuild_tag(planned.manifest.version, planned.requested_at),
            "renews_request_at": datetime.fromisoformat(requested_at) if requested_at else None,
        }
    )


def with_seconds_in_tag(planned: Release) -> Release:
    """The release with seconds in its tag, for a second rebuild in the same minute."""
    tag = names.rebuild_tag(planned.manifest.version, planned.requested_at, seconds=True)
    return planned.model_copy(update={"tag": tag})


def _recorded(annotations: Mapping[str, str]) -> Manifest | None:
    try:
        return Manifest.model_validate(json.loads(annotations.get(annotation.MANIFEST, "null")))
    except (ValueError, ValidationError):
        return None
