"""The pods of a service, for the page of the service."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from manifest_engine.domain.core import printable
from manifest_engine.domain.workload import pod_states
from manifest_engine.domain.workload.pod import APP

PODS_MAX = 50
"""Maximum number of pods on the page; the newest pods count."""
Json = Mapping[str, Any]


def shown(pods: Iterable[Json]) -> list[dict[str, Any]]:
    """Facts of each pod, the newest first, as JSON-compatible data."""
    newest = sorted(pods, key=lambda pod: str(pod["metadata"].get("creationTimestamp")))
    return [_facts(pod) for pod in reversed(newest[-PODS_MAX:])]


def to_log(pods: Iterable[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """The pod whose log is shown: the first pod that is not ready, or else the newest pod.

    :param pods: result of :func:`shown`.
    """
    found = list(pods)
    return next((pod for pod in found if not pod["ready"]), found[0] if found else None)


def _facts(pod: Json) -> dict[str, Any]:
    status, metadata = pod.get("status") or {}, pod["metadata"]
    containers = status.get("containerStatuses") or []
    app: Json = next((item for item in containers if item.get("name") == APP), {})
    specified = (pod.get("spec") or {}).get("containers") or []
    image = next((str(item.get("image")) for item in specified if item.get("name") == APP), "")
    state = pod_states.pod_state(pod)
    return {
        "name": str(metadata["name"]),
        "ready": state == "is ready",
        "state": printable.excerpt(state.removeprefix("is ")),
        "restarts": int(app.get("restartCount") or 0),
        "since": metadata.get("creationTimestamp"),
        "digest": image.partition("@")[2] or None,
    }
