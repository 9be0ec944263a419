"""Stop a run that another run has overtaken.

A run must not overwrite or remove a release that was requested later than the run. A run must not
judge or roll back a release that replaced its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Protocol

from manifest_engine.domain.core.errors import StateError, Superseded
from manifest_engine.domain.lease.lease import Tombstone
from manifest_engine.domain.release import annotations as annotation
from manifest_engine.domain.workload.pod import APP


class Request(Protocol):
    """The plan of a run: a release or a removal."""

    @property
    def run_id(self) -> str: ...

    @property
    def requested_at(self) -> datetime: ...


def refuse(
    planned: Request, live: Mapping[str, Any] | None, removal: Tombstone | None = None
) -> None:
    """Refuse a run that was requested before the live release or before a removal.

    A rebuild counts with the request time of the deployment that it renews.

    :param removal: the last removal of the service.
    :raises Superseded: naming the later run.
    """
    if removal and removal.run_id != planned.run_id and removal.requested_at > planned.requested_at:
        raise Superseded(
            f"This run is superseded: {removal.run_id}, asked for later by {removal.requested_by} "
            f"({removal.requested_at.isoformat()}), has removed the service. Start a new run to "
            "deploy the service anyway."
        )
    annotations = annotation.read_annotations(live)
    run_id = annotations.get(annotation.RUN_ID)
    requested_at = annotations.get(annotation.RENEWS_REQUEST_AT) or annotations.get(
        annotation.REQUESTED_AT
    )
    if not requested_at or run_id == planned.run_id:
        return
    if datetime.fromisoformat(requested_at) > planned.requested_at:
        raise Superseded(
            f"This run is superseded: {run_id}, asked for later ({requested_at}), has been applied "
            "already. Start a new run to apply it anyway."
        )


def refuse_replaced(release_hash: str | None, live: Mapping[str, Any] | None) -> None:
    """Refuse to go on when the live release is not the one that the run applied.

    Releases are compared by hash, since an unchanged release keeps the run id of an earlier run.
    ``kubectl set image`` does not update our annotations, so the image is compared as well.

    :param release_hash: hash of the applied release; None skips the comparison.
    :raises StateError: naming the live release's run, or the live image.
    """
    if not release_hash:
        return
    annotations = annotation.read_annotations(live)
    live_hash, digest = annotations.get(annotation.RELEASE_HASH), annotations.get(annotation.DIGEST)
    image = _image(live)
    if live_hash == release_hash and digest and digest not in (image or digest):
        raise StateError(
            "The image of this run's release was replaced by hand meanwhile: live is "
            f"{image}. This run changes nothing more; start a new run to deploy the release anyway."
        )
    if live_hash != release_hash:
        raise StateError(
            "The release of this run was replaced meanwhile, by a deployment or by hand: live is "
            f"that of run {annotations.get(annotation.RUN_ID, '?')}, asked for by "
            f"{annotations.get(annotation.REQUESTED_BY, 'somebody')}. This run changes "
            "nothing more; start a new run to deploy this release anyway."
        )


def _image(live: Mapping[str, Any] | None) -> str | None:
    template = ((live or {}).get("spec") or {}).get("template") or {}
    containers = (template.get("spec") or {}).get("containers") or []
    return next((str(item["image"]) for item in containers if item["name"] == APP), None)
