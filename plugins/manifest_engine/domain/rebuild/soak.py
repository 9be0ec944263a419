"""Whether a service has lived long enough in the earlier environment for a rebuild in the next one.

An environment with ``rebuilds.after`` gets base images only from the release that runs in the
earlier environment, after that release ran there for ``soakHours`` without a restart or a failed
probe.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from manifest_engine.domain.image.base_images import Current
from manifest_engine.domain.rebuild.deployed import Deployed, unpinned_bases

START_TIME = timedelta(minutes=15)
"""A pod that becomes ready later after its start counts as a pod with a failed probe."""

Json = Mapping[str, Any]


@dataclass(frozen=True)
class Earlier:
    """A service in the earlier environment.

    :param environment: name of the earlier environment.
    :param service: its record; None when the service is not deployed there.
    :param problem: why it has not soaked, as the end of a sentence; empty when it has.
    """

    environment: str
    service: Deployed | None = None
    problem: str = ""


def problem(deployment: Json, pods: Iterable[Json], hours: float, now: datetime) -> str:
    """Why the live release has not soaked; empty when it has.

    :param deployment: the live Deployment, whose rollout is complete.
    :param pods: its pods.
    :param hours: how long the release must have run.
    :param now: current time in UTC.
    """
    start = now - timedelta(hours=hours)
    since = _time(_condition(deployment, "Progressing").get("lastUpdateTime"))
    if since is None or since > start:
        shown = f"since {since:%Y-%m-%d %H:%M}" if since else "for an unknown time"
        return f"it has run there only {shown} (soakHours is {hours:g})"
    running = [pod for pod in pods if not pod["metadata"].get("deletionTimestamp")]
    if not running:
        return "it has no pods there"
    found = (_pod_problem(pod, start) for pod in running)
    return next(filter(None, found), "")


def bases(
    service: Deployed, current: Mapping[str, Current], standard: bytes, earlier: Earlier
) -> tuple[dict[str, Current], str]:
    """The base images that the earlier environment runs, and why the service must wait.

    :param service: the service in the next environment.
    :param current: current base images, by normalized reference.
    :param standard: text of the standard Dockerfile.
    :return: the base images in place of ``current``, and a sentence that is empty when the rebuild
        can go on.
    """
    where = earlier.environment
    if earlier.service is None or earlier.service.provenance is None:
        return dict(current), f"It waits for {where}, where no release of it is recorded."
    record = earlier.service.provenance
    renewed = {}
    missing = []
    for base in unpinned_bases(service.provenance):
        if digest := record.bases.get(base):
            pin = digest if current[base].pin else None
            renewed[base] = replace(current[base], digests=frozenset({digest}), pin=pin)
        else:
            missing.append(base)
    if earlier.problem:
        return dict(current) | renewed, f"It waits for {where}: {earlier.problem}."
    if missing:
        return dict(current) | renewed, f"It waits for {where}, which does not use {missing[0]}."
    if record.standard and record.dockerfile != hashlib.sha256(standard).hexdigest():
        return dict(current) | renewed, f"It waits for {where}, whose Dockerfile is to be renewed."
    return dict(current) | renewed, ""


def _pod_problem(pod: Json, start: datetime) -> str:
    name = pod["metadata"]["name"]
    statuses = (pod.get("status") or {}).get("containerStatuses") or []
    if any(item.get("restartCount") for item in statuses):
        return f"its pod {name} was restarted"
    ready = _condition(pod, "Ready")
    since = _time(ready.get("lastTransitionTime"))
    if ready.get("status") != "True" or since is None:
        return f"its pod {name} is not ready"
    started = _time((pod.get("status") or {}).get("startTime"))
    if since > start and (started is None or since > started + START_TIME):
        return f"a probe of its pod {name} failed before {since:%Y-%m-%d %H:%M}"
    return ""


def _condition(an_object: Json, kind: str) -> Json:
    conditions = (an_object.get("status") or {}).get("conditions") or []
    return next((item for item in conditions if item.get("type") == kind), {})


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
