"""A rebuild of what is live: when it may go on, and as which release.

It brings nothing new but newer packages: manifest and artifact are those of the live release, and
whatever a person has done meanwhile comes first.
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
"""Who asked for a rebuild that no person did."""
SKIPPED = "skipped"
"""XCom key: the sentence why a run left everything as it was."""


def outdated(release: Release, live: Mapping[str, Any] | None) -> str | None:
    """Why the rebuild must not go on, as a sentence; None when it may.

    :param live: the Deployment as it is.
    """
    planned = release.manifest.rebuild
    if planned is None:
        return None
    notes = annotation.read_annotations(live)
    if live is None or live["metadata"].get("deletionTimestamp"):
        return f"{release.name} was removed after the rebuild was planned; it is not brought back."
    run_id = notes.get(annotation.RUN_ID)
    applied = run_id == release.run_id  # by an earlier try of this run
    if not applied and notes.get(annotation.RELEASE_HASH) != planned.release_hash:
        return (
            f"{release.name} was deployed anew after the rebuild was planned, by run {run_id} of "
            f"{notes.get(annotation.REQUESTED_BY, 'somebody')}; that stays."
        )
    manifest = release.manifest.model_copy(update={"rebuild": None, "dry_run": False})
    sha256 = notes.get(annotation.ARTIFACT_SHA256)
    if planned.artifact_sha256 != sha256 or _recorded(notes) != manifest:
        return (
            f"Manifest or artifact of this run are not those that {release.name} runs by, so this "
            "is no rebuild; deploy it without the field rebuild."
        )
    return None


def release_of(planned: Release, live: Mapping[str, Any]) -> Release:
    """The release with a tag of its own, and with the time at which the live one was asked for.

    So a deployment that a person asked for before the rebuild, and that is applied after it, is not
    superseded by it.
    """
    notes = annotation.read_annotations(live)
    asked = notes.get(annotation.RENEWS_REQUEST_AT) or notes.get(annotation.REQUESTED_AT)
    return planned.model_copy(
        update={
            "tag": names.rebuild_tag(planned.manifest.version, planned.requested_at),
            "renews_request_at": datetime.fromisoformat(asked) if asked else None,
        }
    )


def second_in_its_minute(planned: Release) -> Release:
    """The release with another tag, where another rebuild's image bears the one it would have."""
    tag = names.rebuild_tag(planned.manifest.version, planned.requested_at, seconds=True)
    return planned.model_copy(update={"tag": tag})


def _recorded(notes: Mapping[str, str]) -> Manifest | None:
    try:
        return Manifest.model_validate(json.loads(notes.get(annotation.MANIFEST, "null")))
    except (ValueError, ValidationError):
        return None
