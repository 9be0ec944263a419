"""The status of a rollout, by kubectl's rules in kubectl's order.

Source: kubernetes/kubectl, ``pkg/polymorphichelpers/rollout_status.go``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Waiting:
    """The rollout is in progress; ``text`` says what is missing."""

    text: str


@dataclass(frozen=True)
class Serving(Waiting):
    """Every new pod is ready and serves. Old pods stay until the new pods have been ready for
    ``minReadySeconds``."""

    replicas: int


@dataclass(frozen=True)
class Done:
    """All replicas are updated and available, and no old replica is left."""

    replicas: int


@dataclass(frozen=True)
class Failed:
    """The rollout is paused or exceeded its progress deadline. Kubernetes does not roll back."""

    reason: str


Status = Waiting | Done | Failed


def is_over(status: Status, *, until_serving: bool = False) -> bool:
    """Whether the wait for a rollout is over: done, failed or, if that suffices, serving."""
    return not isinstance(status, Waiting) or (until_serving and isinstance(status, Serving))


def status(deployment: Mapping[str, Any]) -> Status:
    """Judge a Deployment as the API gives it."""
    metadata, spec = deployment["metadata"], deployment.get("spec") or {}
    seen = deployment.get("status") or {}
    if metadata.get("generation", 0) > seen.get("observedGeneration", 0):
        return Waiting("the controller has not seen the new release yet")
    desired = spec.get("replicas", 1)
    updated, existing = seen.get("updatedReplicas", 0), seen.get("replicas", 0)
    # Our own rule: kubectl waits while the Deployment is paused, and no deadline applies then.
    if spec.get("paused") and (updated < desired or existing > updated):
        return Failed(_paused(metadata))
    for condition in seen.get("conditions") or []:
        if (
            condition.get("type") == "Progressing"
            and condition.get("reason") == "ProgressDeadlineExceeded"
        ):
            seconds = spec.get("progressDeadlineSeconds", 600)
            return Failed(f"no progress for {seconds} s (progressDeadlineSeconds)")
    if updated < desired:
        return Waiting(f"{updated} of {desired} new pods have been made")
    available = seen.get("availableReplicas", 0)
    if existing > updated:
        text = f"{existing - updated} old pods have yet to go"
    elif available < updated:
        text = f"{available} of {updated} new pods are available"
    else:
        return Done(updated)
    if seen.get("readyReplicas", 0) >= existing:
        return Serving(text, updated)
    return Waiting(text)


def _paused(metadata: Mapping[str, Any]) -> str:
    where = f" -n {metadata['namespace']}" if metadata.get("namespace") else ""
    return (
        "the Deployment is paused, so nothing of it is rolled out: run 'kubectl rollout resume "
        f"deployment/{metadata['name']}{where}', and deploy again"
    )
