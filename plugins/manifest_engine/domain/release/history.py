"""The release history in a Deployment's annotations: carry it over, read it, restore from it."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from manifest_engine.domain.core.errors import ManifestError
from manifest_engine.domain.release import annotations as annotation

_GOOD_MAX = 20
"""Hashes of good releases that are kept. Several releases can share one ReplicaSet."""
_ABOUT_THE_RELEASE_BEFORE = (annotation.LAST_GOOD, annotation.FIRST)


def carry_over(
    objects: list[dict[str, Any]], live: Mapping[str, Any] | None
) -> list[dict[str, Any]]:
    """Copy the objects and carry over the history of the live Deployment.

    If the live release has the same hash, the annotations of its run are kept, so that applying
    changes nothing. Otherwise the last good release is recorded: the live release if its rollout
    was ever completed, else the last good release of the live one. The objects are then packed
    again, because a rollback applies them as recorded. The hashes of all good releases are
    recorded for a rollback by a person.

    :raises ManifestError: when the annotations are too large.
    """
    old = annotation.read_annotations(live)
    made = copy.deepcopy(objects)
    mine = made[0]["metadata"]["annotations"]
    if annotation.BUILT_FROM in old and old.get(annotation.DIGEST) == mine[annotation.DIGEST]:
        mine.setdefault(annotation.BUILT_FROM, old[annotation.BUILT_FROM])
    if old.get(annotation.RELEASE_HASH) == mine[annotation.RELEASE_HASH]:
        kept = (
            *annotation.ABOUT_THE_RUN,
            annotation.ROLLED_BACK_FROM,
            annotation.GOOD,
            *_ABOUT_THE_RELEASE_BEFORE,
        )
        mine.update({key: old[key] for key in kept if key in old})
        return with_record(made)
    mine[annotation.GOOD] = " ".join(_good(live))
    if live is None or (annotation.FIRST in old and not is_complete(live)):
        mine[annotation.FIRST] = "true"
    elif last_good := old.get(annotation.OBJECTS if is_complete(live) else annotation.LAST_GOOD):
        mine[annotation.LAST_GOOD] = last_good
    return with_record(made)


def good_before(annotations: Mapping[str, str]) -> list[str]:
    """Hashes of the releases that came up before the live one, the last one last."""
    if annotation.GOOD in annotations:
        return annotations[annotation.GOOD].split()
    last_good = annotation.unpack(annotations.get(annotation.LAST_GOOD))
    return [annotation.read_annotations(last_good[0])[annotation.RELEASE_HASH]] if last_good else []


def _good(live: Mapping[str, Any] | None) -> list[str]:
    """Hashes of the releases that came up, including the live one, the last one last."""
    annotations = annotation.read_annotations(live)
    good = good_before(annotations)
    current = annotations.get(annotation.RELEASE_HASH)
    if current and is_complete(live):
        good = [*(item for item in good if item != current), current]
    return good[-_GOOD_MAX:]


def is_complete(live: Mapping[str, Any] | None) -> bool:
    """Whether the live Deployment's rollout was completed, now or earlier.

    The controller sets the reason ``NewReplicaSetAvailable`` when the new ReplicaSet is available
    and keeps it until the next rollout, also when pods fail later. Right after the template
    changes, the reason can still be the former template's; the new ReplicaSet has no pods then.
    Source: kubernetes, ``pkg/controller/deployment``, ``sync.go`` and ``progress.go``.
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
    """Whether the status describes the current generation of the Deployment."""
    live = live or {}
    seen = (live.get("status") or {}).get("observedGeneration", 0)
    return bool(seen >= live.get("metadata", {}).get("generation", 0))


def is_live_already(live: Mapping[str, Any] | None, deployment: Mapping[str, Any]) -> bool:
    """Whether this release is live and its rollout was completed.

    Applying such a release changes nothing, so a failed run has nothing to roll back.

    :param live: the Deployment before the release is applied.
    :param deployment: the Deployment of the release.
    """
    mine = annotation.read_annotations(deployment)[annotation.RELEASE_HASH]
    return (
        is_complete(live) and annotation.read_annotations(live).get(annotation.RELEASE_HASH) == mine
    )


def has_changed(live: Mapping[str, Any] | None, applied: Mapping[str, Any]) -> bool:
    """Whether applying a release changed the Deployment or its annotations."""
    if live is None or live["metadata"]["generation"] != applied["metadata"]["generation"]:
        return True
    return annotation.read_annotations(live) != annotation.read_annotations(applied)


def restore(packed: str | None) -> list[dict[str, Any]] | None:
    """The objects of an earlier release as they were applied; None without a record."""
    objects = annotation.unpack(packed)
    return with_record(objects) if objects else None


def with_record(objects: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Copy the objects and pack them into an annotation of the Deployment.

    The packed copy leaves out the earlier packed copy and the last good release.

    :raises ManifestError: when the annotations are too large.
    """
    made, packed = copy.deepcopy(objects), copy.deepcopy(objects)
    for key in (annotation.OBJECTS, *_ABOUT_THE_RELEASE_BEFORE):
        packed[0]["metadata"]["annotations"].pop(key, None)
    made[0]["metadata"]["annotations"][annotation.OBJECTS] = annotation.pack(packed)
    _require_fit(made[0])
    return made


def _require_fit(deployment: dict[str, Any]) -> None:
    written = annotation.read_annotations(deployment)
    size = sum(len(name.encode()) + len(value.encode()) for name, value in written.items())
    if size > annotation.TOTAL_ANNOTATIONS_MAX:
        raise ManifestError(
            f"The manifest is too large to be recorded on the Deployment ({size} bytes; "
            f"Kubernetes takes {annotation.TOTAL_ANNOTATIONS_MAX}): move large values of env into "
            "a Secret (secretEnv) or into the image."
        )
