"""The live release of a service in one environment, read from its Deployment."""

from __future__ import annotations

import json
from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from manifest_engine.domain.record.history import Place
from manifest_engine.domain.release import annotations as annotation
from manifest_engine.domain.release import history as releases
from manifest_engine.domain.release import labels as label
from manifest_engine.domain.release import provenance

RUNNING = "running"
DEGRADED = "degraded"
STOPPED = "stopped"
ROLLING_OUT = "rolling out"
REMOVING = "removing"
UNKNOWN = "unknown"
ABSENT = "not deployed"
STATES = (RUNNING, DEGRADED, STOPPED, ROLLING_OUT, REMOVING, UNKNOWN, ABSENT)


@dataclass(frozen=True)
class Live:
    """The live release and its pods."""

    place: Place
    state: str
    version: str | None
    digest: str | None
    desired: int
    ready: int
    artifact: str | None
    artifact_sha256: str | None
    run_id: str | None
    since: str | None
    """Request time of the run that made the release (ISO 8601)."""
    requested_by: str | None
    bases: Mapping[str, str]
    """Digest of each base image when the image was built, by normalized reference."""
    manifest: Mapping[str, Any]
    """The recorded manifest; empty if the Deployment has no record."""


@dataclass(frozen=True)
class Observation:
    """The services of one environment, as last read from its cluster."""

    services: Mapping[Place, Live] = field(default_factory=dict)
    observed: bool = False
    """Whether ``services`` is the present state."""
    at: datetime | None = None
    """When ``services`` was read; None before the first read."""
    problem: str | None = None
    """Why the present state is not known, as a sentence."""


def read(
    deployment: Mapping[str, Any], environment: str, configured: Container[str]
) -> Live | None:
    """Read a Deployment; None if it belongs to another environment that shares the namespace.

    :param configured: names of all environments.
    """
    annotations = annotation.read_annotations(deployment)
    labels = deployment["metadata"].get("labels") or {}
    manifest = _object(annotations.get(annotation.MANIFEST))
    where = str(manifest.get("environment", environment))
    if where != environment and where in configured:
        return None
    built = provenance.read(annotations.get(annotation.BUILT_FROM))
    service_name = manifest.get("serviceName") or labels.get(label.NAME) or ""
    return Live(
        Place(
            str(manifest.get("component") or labels.get(label.COMPONENT) or ""),
            str(service_name or deployment["metadata"]["name"]),
            environment,
        ),
        _state(deployment),
        manifest.get("version") or labels.get(label.VERSION),
        annotations.get(annotation.DIGEST),
        int((deployment.get("spec") or {}).get("replicas", 1)),
        int((deployment.get("status") or {}).get("readyReplicas") or 0),
        annotations.get(annotation.ARTIFACT),
        annotations.get(annotation.ARTIFACT_SHA256),
        annotations.get(annotation.RUN_ID),
        annotations.get(annotation.REQUESTED_AT),
        annotations.get(annotation.REQUESTED_BY),
        built.bases if built else {},
        manifest,
    )


def _state(deployment: Mapping[str, Any]) -> str:
    spec, status = deployment.get("spec") or {}, deployment.get("status") or {}
    if deployment["metadata"].get("deletionTimestamp"):
        return REMOVING
    if not spec.get("replicas", 1):
        return STOPPED
    if not releases.is_complete(deployment):
        return ROLLING_OUT
    return RUNNING if (status.get("readyReplicas") or 0) >= spec.get("replicas", 1) else DEGRADED


def _object(text: str | None) -> dict[str, Any]:
    try:
        found = json.loads(text or "null")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
