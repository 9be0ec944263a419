"""What each pod does at present, in a few words: for the log of a task that waits for pods."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from manifest_engine.domain.workload import diagnosis
from manifest_engine.domain.workload.service_log import QUOTE

Json = Mapping[str, Any]


def pod_states(pods: Iterable[Json], events: Iterable[Json] = ()) -> dict[str, str]:
    """Name and state of each pod, in the order of the names."""
    events = list(events)
    found = {pod["metadata"]["name"]: pod_state(pod, events) for pod in pods}
    return dict(sorted(found.items()))


def pod_state(pod: Json, events: Iterable[Json] = ()) -> str:
    """What one pod does, or what it waits for. The finding without log lines, if there is one."""
    status, spec = pod.get("status") or {}, pod.get("spec") or {}
    if pod["metadata"].get("deletionTimestamp"):
        return "ends"
    if reason := pending_reason(pod, events):
        return f"waits: {reason}"
    if finding := diagnosis.of_pod(pod, events):
        text = finding.sentence.partition(QUOTE)[0]
        return text if finding.final else text.replace(diagnosis.NOT_READY, "is not ready yet: ", 1)
    containers = status.get("containerStatuses") or []
    if containers and all(item.get("ready") for item in containers):
        return "is ready"
    if any("running" in (item.get("state") or {}) for item in containers):
        return "runs and is not ready yet"
    return f"starts on node {spec.get('nodeName', '?')}: pulls its image or mounts its volumes"


def pending_reason(pod: Json, events: Iterable[Json] = ()) -> str:
    """Why none of the pod's containers has started, if the cluster is what it waits for.

    Empty for a pod whose containers have started, or which starts as usual. This time does not
    count as the service's startup time.
    """
    status, spec = pod.get("status") or {}, pod.get("spec") or {}
    containers = status.get("containerStatuses") or []
    if any(_has_started(item) for item in containers):
        return ""
    if finding := diagnosis.of_pod(pod, events):
        return "" if finding.final else finding.sentence
    if not spec.get("nodeName"):
        return "the scheduler has not chosen a node yet"
    return ""


def _has_started(container: Json) -> bool:
    state = container.get("state") or {}
    return bool(state.keys() & {"running", "terminated"} or container.get("lastState"))
