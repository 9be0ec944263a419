"""A run must not overwrite, nor remove, a release that was asked for later than itself.

Nor may it judge, or roll back, one that has taken the place of its own meanwhile.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Protocol

from manifest_engine.domain.core.errors import StateError
from manifest_engine.domain.release import annotations as annotation
from manifest_engine.domain.workload.pod import APP


class Request(Protocol):
    """What a run is to do: a release, or a removal."""

    @property
    def run_id(self) -> str: ...

    @property
    def requested_at(self) -> datetime: ...


def refuse(asked_for: Request, live: Mapping[str, Any] | None) -> None:
    """Compare when the run was asked for with what the live Deployment says.

    A rebuild counts as old as the deployment that it renews: it brings nothing that was asked for.

    :raises StateError: naming the later run.
    """
    notes = annotation.read_annotations(live)
    run_id = notes.get(annotation.RUN_ID)
    asked = notes.get(annotation.RENEWS_REQUEST_AT) or notes.get(annotation.REQUESTED_AT)
    if not asked or run_id == asked_for.run_id:
        return
    if datetime.fromisoformat(asked) > asked_for.requested_at:
        raise StateError(
            f"This run is superseded: {run_id}, asked for later ({asked}), has been applied "
            "already. Start a new run to have it done nevertheless."
        )


def refuse_replaced(release_hash: str | None, live: Mapping[str, Any] | None) -> None:
    """Compare the release that a run has applied with the one that is live.

    The hash, not the run, tells them apart: an unchanged release stays that of an earlier run. Who
    changes the image by hand leaves the notes as they are.

    :param release_hash: of the one that was applied; None compares nothing.
    :raises StateError: naming the run whose release, or the image that is live instead.
    """
    if not release_hash:
        return
    notes = annotation.read_annotations(live)
    image, digest = _image(live), notes.get(annotation.DIGEST)
    if (
        notes.get(annotation.RELEASE_HASH) == release_hash
        and digest
        and digest not in (image or digest)
    ):
        raise StateError(
            "The image of this run's release was replaced by hand meanwhile: live is "
            f"{image}. It is left as it is; start a new run to deploy the release nevertheless."
        )
    if notes.get(annotation.RELEASE_HASH) != release_hash:
        raise StateError(
            "The release of this run was replaced meanwhile, by a deployment or by hand: live is "
            f"that of run {notes.get(annotation.RUN_ID, '?')}, asked for by "
            f"{notes.get(annotation.REQUESTED_BY, 'somebody')}. It is left as it is; start a new "
            "run to deploy this one nevertheless."
        )


def _image(live: Mapping[str, Any] | None) -> str | None:
    template = ((live or {}).get("spec") or {}).get("template") or {}
    containers = (template.get("spec") or {}).get("containers") or []
    return next((str(item["image"]) for item in containers if item["name"] == APP), None)
