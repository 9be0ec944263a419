"""One deployment of a service at a time: what its ``Lease`` in the cluster says.

The holder is a run, so that each task of the run, and each of its tries, holds it too. The name is
not that of the service, under which the service's own pods may keep a Lease for leader election.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from manifest_engine.domain.release import annotations as annotation
from manifest_engine.domain.release import labels as label

DURATION_SECONDS = 60
"""A holder that has not renewed for so long is dead.

Longer than the gap between two tasks of a worker that runs. Where each task starts a pod of its own
the gap may be longer, so a step asks for the lease anew and stops if another run has it.
"""
SKEW_SECONDS = 15
"""How far the clocks of two workers may differ."""
RENEW_SECONDS = 15.0
_MICRO_TIME = "%Y-%m-%dT%H:%M:%S.%fZ"


@dataclass(frozen=True)
class Holder:
    """Who deploys right now, as it is shown to whoever waits."""

    run_id: str
    requested_by: str
    since: str

    def __str__(self) -> str:
        return f"run {self.run_id}, asked for by {self.requested_by}, since {self.since}"


def lease_name(service: str) -> str:
    """Name of the Lease of a service: ``{component}-{serviceName}.manifest-engine``.

    No service has a name with a dot.
    """
    return f"{service}.{label.MANAGER}"


def is_ours(lease: Mapping[str, Any]) -> bool:
    """Whether a run made it; another one is neither taken over nor deleted."""
    labels = lease["metadata"].get("labels") or {}
    return bool(labels.get(label.MANAGED_BY) == label.MANAGER)


def not_ours(lease: Mapping[str, Any], service: str) -> str:
    """A sentence on a Lease of our name that no run made."""
    metadata = lease["metadata"]
    return (
        f"The Lease {metadata['name']!r} in namespace {metadata.get('namespace')!r}, held by "
        f"{holder(lease).run_id or 'nobody'!r}, was not made by a deployment: it has no label "
        f"{label.MANAGED_BY}={label.MANAGER}. It was left alone, and nothing was changed. Delete "
        f"or rename it: deployments of {service} need this name."
    )


def desired(
    service: str, namespace: str, run_id: str, requested_by: str, now: datetime
) -> dict[str, Any]:
    """The Lease as a run takes it.

    :param now: in UTC.
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


def holder(lease: Mapping[str, Any]) -> Holder:
    """Who holds it."""
    spec = lease.get("spec") or {}
    return Holder(
        run_id=spec.get("holderIdentity") or "",
        requested_by=annotation.read_annotations(lease).get(annotation.REQUESTED_BY, "somebody"),
        since=spec.get("acquireTime") or "an unknown time",
    )


def is_free(lease: Mapping[str, Any] | None, now: datetime) -> bool:
    """Whether anybody may take it: there is none, nobody holds it, or its holder is dead."""
    spec = (lease or {}).get("spec") or {}
    if not spec.get("holderIdentity"):
        return True
    renewed = datetime.fromisoformat(spec.get("renewTime") or "1970-01-01T00:00:00Z")
    allowed = timedelta(seconds=int(spec.get("leaseDurationSeconds") or 0) + SKEW_SECONDS)
    return now - renewed > allowed
