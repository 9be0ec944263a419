"""One deployment of a service at a time: what its ``Lease`` in the cluster says.

The holder is a run, so that each task of the run, and each of its tries, holds it too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from manifest_engine.domain import marks

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


def wanted(
    name: str, namespace: str, run_id: str, requested_by: str, now: datetime
) -> dict[str, Any]:
    """The Lease as a run takes it.

    :param now: in UTC.
    """
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": {marks.INSTANCE: name, marks.MANAGED_BY: marks.MANAGER},
            "annotations": {marks.REQUESTED_BY: requested_by},
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
        requested_by=marks.noted(lease).get(marks.REQUESTED_BY, "somebody"),
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
