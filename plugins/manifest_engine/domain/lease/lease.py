"""The Kubernetes ``Lease`` that allows one deployment of a service at a time.

The holder is a run, so all tasks and retries of the run share the lease. The name of
the Lease is not the service's name, because the service's pods may use that for leader election.

After a removal the Lease stays, without a holder: an annotation records who asked for the removal
and when (:class:`Tombstone`). The Deployment that would record a later request is gone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from manifest_engine.domain.release import annotations as annotation
from manifest_engine.domain.release import labels as label

DURATION_SECONDS = 60
"""Seconds without renewal after which a holder counts as dead.

This is longer than the gap between two tasks on a running worker. If each task starts a pod, the
gap can be longer, so each step acquires the lease again and stops if another run holds it.
"""
SKEW_SECONDS = 15
"""Seconds by which the clocks of two workers may differ."""
RENEW_SECONDS = 15.0
_MICRO_TIME = "%Y-%m-%dT%H:%M:%S.%fZ"


@dataclass(frozen=True)
class Holder:
    """The run that holds a lease, as shown to a waiting run."""

    run_id: str
    requested_by: str
    since: str

    def __str__(self) -> str:
        return f"run {self.run_id}, asked for by {self.requested_by}, since {self.since}"


@dataclass(frozen=True)
class Tombstone:
    """The removal of a service, as its Lease records it."""

    run_id: str
    requested_by: str
    requested_at: datetime


def lease_name(service: str) -> str:
    """Name of the Lease of a service: ``{component}-{serviceName}.manifest-engine``.

    The dot avoids collisions, since no service name contains a dot.
    """
    return f"{service}.{label.MANAGER}"


def not_ours(lease: Mapping[str, Any], service: str) -> str:
    """The error sentence for a Lease of our name that no run created."""
    metadata = lease["metadata"]
    return (
        f"The Lease {metadata['name']!r} in namespace {metadata.get('namespace')!r}, held by "
        f"{holder(lease).run_id or 'nobody'!r}, was not made by a deployment: it has no label "
        f"{label.MANAGED_BY}={label.MANAGER}. Nothing was changed. Delete "
        f"or rename it: deployments of {service} need this name."
    )


def desired(
    service: str, namespace: str, run_id: str, requested_by: str, now: datetime
) -> dict[str, Any]:
    """The Lease that a run applies to acquire it.

    :param now: current time in UTC.
    """
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {
            "name": lease_name(service),
            "namespace": namespace,
            "labels": {label.INSTANCE: service, label.MANAGED_BY: label.MANAGER},
            "annotations": {annotation.REQUESTED_BY: requested_by},
        },
        "spec": {
            "holderIdentity": run_id,
            "leaseDurationSeconds": DURATION_SECONDS,
            "acquireTime": now.strftime(_MICRO_TIME),
            "renewTime": now.strftime(_MICRO_TIME),
        },
    }


def with_tombstone(lease: Mapping[str, Any], removal: Tombstone) -> dict[str, Any]:
    """A copy of the Lease that records a removal."""
    value = {
        "runId": removal.run_id,
        "requestedBy": removal.requested_by,
        "requestedAt": removal.requested_at.isoformat(),
    }
    annotations = annotation.read_annotations(lease) | {annotation.REMOVED: json.dumps(value)}
    return {**lease, "metadata": {**lease["metadata"], "annotations": annotations}}


def tombstone(lease: Mapping[str, Any] | None) -> Tombstone | None:
    """The recorded removal; None when no removal is recorded or the record is damaged."""
    try:
        found = json.loads(annotation.read_annotations(lease).get(annotation.REMOVED, "null"))
        return Tombstone(
            run_id=str(found["runId"]),
            requested_by=str(found["requestedBy"]),
            requested_at=datetime.fromisoformat(found["requestedAt"]),
        )
    except (KeyError, TypeError, ValueError):
        return None


def later(one: Tombstone | None, other: Tombstone | None) -> Tombstone | None:
    """The removal that was requested later."""
    if one is None or other is None:
        return one or other
    return max(one, other, key=lambda removal: removal.requested_at)


def released(lease: Mapping[str, Any]) -> dict[str, Any]:
    """The Lease of a removed service without a holder."""
    return {**lease, "spec": {}}


def holder(lease: Mapping[str, Any]) -> Holder:
    """The holder of a Lease."""
    spec = lease.get("spec") or {}
    return Holder(
        run_id=spec.get("holderIdentity") or "",
        requested_by=annotation.read_annotations(lease).get(annotation.REQUESTED_BY, "somebody"),
        since=spec.get("acquireTime") or "an unknown time",
    )


def is_free(lease: Mapping[str, Any] | None, now: datetime) -> bool:
    """Whether a run may acquire the Lease: it does not exist, has no holder, or a dead holder."""
    spec = (lease or {}).get("spec") or {}
    if not spec.get("holderIdentity"):
        return True
    renewed = datetime.fromisoformat(spec.get("renewTime") or "1970-01-01T00:00:00Z")
    allowed = timedelta(seconds=int(spec.get("leaseDurationSeconds") or 0) + SKEW_SECONDS)
    return now - renewed > allowed
