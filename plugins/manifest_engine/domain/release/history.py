"""What a Deployment's annotations hand on from one release to the next, and back."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from manifest_engine.domain.core.errors import ManifestError
from manifest_engine.domain.release import annotations as annotation

_ABOUT_THE_RELEASE_BEFORE = (annotation.LAST_GOOD, annotation.FIRST)


def carry_over(
    objects: list[dict[str, Any]], live: Mapping[str, Any] | None
) -> list[dict[str, Any]]:
    """The same objects with what the live Deployment's annotations hand on.

    When it is the same release already, the run that brought it stays on record, so that applying
    changes nothing. Otherwise the release to return to is noted: the live one, if its rollout was
    ever completed, else the one that the live one would have returned to. The objects are packed
    again, with what was handed on: a roll back applies them as they are recorded.

    :raises ManifestError: when they are too large to be recorded.
    """
    old = annotation.read_annotations(live)
    made = copy.deepcopy(objects)
    mine = made[0]["metadata"]["annotations"]
    if annotation.BUILT_FROM in old and old.get(annotation.DIGEST) == mine[annotation.DIGEST]:
        mine.setdefault(
            annotation.BUILT_FROM, old[annotation.BUILT_FROM]
        )  # an image that was not built anew
    if old.get(annotation.RELEASE_HASH) == mine[annotation.RELEASE_HASH]:
        kept = (*annotation.ABOUT_THE_RUN, annotation.ROLLED_BACK_FROM, *_ABOUT_THE_RELEASE_BEFORE)
        mine.update({key: old[key] for key in kept if key in old})
    elif live is None or (annotation.FIRST in old and not is_complete(live)):
        mine[annotation.FIRST] = "true"
    elif last_good := old.get(annotation.OBJECTS if is_complete(live) else annotation.LAST_GOOD):
        mine[annotation.LAST_GOOD] = last_good
    return with_record(made)


def is_complete(live: Mapping[str, Any] | None) -> bool:
    """Whether the live Deployment's rollout was completed, be it now or earlier.

    The controller sets this reason when the new ReplicaSet is available and leaves it there until
    the next rollout, also when pods fail later. It may have observed a new template and show the
    former one's reason for a moment: where the number of replicas changes with the template, or
    the template had a ReplicaSet before. That one has no pods then. Source: kubernetes,
    ``pkg/controller/deployment``, ``sync.go`` and ``progress.go``.
    """
    if not is_observed(live):
        return False
    live = live or {}
    status = live.get("status") or {}
    if not status.get("updatedReplicas") and (live.get("spec") or {}).get("replicas", 1):
        return False
    return any(
        condition.get("type") == "Progressing"
        and condition.get("reason") == "NewReplicaSetAvailable"
        for condition in status.get("conditions") or []
    )


def is_observed(live: Mapping[str, Any] | None) -> bool:
    """Whether the status is about the Deployment as it is now, be it only scaled since."""
    live = live or {}
    seen = (live.get("status") or {}).get("observedGeneration", 0)
    return bool(seen >= live.get("metadata", {}).get("generation", 0))


def is_live_already(live: Mapping[str, Any] | None, deployment: Mapping[str, Any]) -> bool:
    """Whether this very release is live and has come up: to apply it again changes nothing, so that
    there is nothing to take back, whatever goes wrong.

    :param live: the Deployment as it is before the release is applied.
    :param deployment: of the release.
    """
    mine = annotation.read_annotations(deployment)[annotation.RELEASE_HASH]
    return (
        is_complete(live) and annotation.read_annotations(live).get(annotation.RELEASE_HASH) == mine
    )


def has_changed(live: Mapping[str, Any] | None, applied: Mapping[str, Any]) -> bool:
    """Whether applying a release has changed the Deployment, be it only what is noted on it."""
    if live is None or live["metadata"]["generation"] != applied["metadata"]["generation"]:
        return True
    return annotation.read_annotations(live) != annotation.read_annotations(applied)


def restore(packed: str | None) -> list[dict[str, Any]] | None:
    """The objects of an earlier release as they were applied; None when there is no record."""
    objects = annotation.unpack(packed)
    return with_record(objects) if objects else None


def with_record(objects: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same objects, with themselves packed on the Deployment: without an earlier packing, and
    without what they would return to.

    :raises ManifestError: when they are too large for that.
    """
    made, packed = copy.deepcopy(objects), copy.deepcopy(objects)
    for key in (annotation.OBJECTS, *_ABOUT_THE_RELEASE_BEFORE):
        packed[0]["metadata"]["annotations"].pop(key, None)
    made[0]["metadata"]["annotations"][annotation.OBJECTS] = annotation.pack(packed)
    _fits(made[0])
    return made


def _fits(deployment: dict[str, Any]) -> None:
    written = annotation.read_annotations(deployment)
    size = sum(len(name.encode()) + len(value.encode()) for name, value in written.items())
    if size > annotation.TOTAL_ANNOTATIONS_MAX:
        raise ManifestError(
            f"The manifest is too large to be recorded on the Deployment ({size} bytes; "
            f"Kubernetes takes {annotation.TOTAL_ANNOTATIONS_MAX}): move large values of env into "
            "a Secret (secretEnv) or into the image."
        )
