"""The outcome of a smoke pod: a verdict, or an error that says why there is no verdict."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from manifest_engine.domain.core import printable
from manifest_engine.domain.core.errors import SmokeTestFailed
from manifest_engine.domain.smoke.verdict import Verdict
from manifest_engine.domain.workload import diagnosis, service_log
from manifest_engine.domain.workload.finding import Finding, flat
from manifest_engine.domain.workload.pod import APP

Json = Mapping[str, Any]

_DEADLINE_TOLERANCE = timedelta(seconds=60)


def container(pod: Json, name: str) -> dict[str, Any]:
    """A container's entry in the pod's status; empty when missing."""
    listed = (pod.get("status") or {}).get("containerStatuses") or []
    return next((item for item in listed if item["name"] == name), {})


def runs(pod: Json) -> bool:
    """Whether the service runs and the pod has an address."""
    return "running" in (container(pod, APP).get("state") or {}) and bool(
        (pod.get("status") or {}).get("podIP")
    )


def is_ready(pod: Json) -> bool:
    """Whether the kubelet says that the service is ready."""
    return bool(container(pod, APP).get("ready"))


def was_stopped(pod: Json) -> bool:
    """Whether the kubelet stopped the service, as it does when a probe has failed too often."""
    ended = (container(pod, APP).get("state") or {}).get("terminated") or {}
    return ended.get("exitCode") in diagnosis.KILLED and ended.get("reason") != "OOMKilled"


def pod_failure(pod: Json) -> SmokeTestFailed | None:
    """The error for a pod that was deleted or evicted, for example by a node drain; else None.

    The exit codes of its containers say nothing about the service then.
    """
    if pod["metadata"].get("deletionTimestamp"):
        return pod_deleted(pod["metadata"]["name"])
    if not (pod.get("status") or {}).get("reason"):
        return None
    return failure(_pod_failed(pod), "")


def judge(found: Verdict, log: str) -> Verdict:
    """Return a good verdict unchanged. ``verdict.check`` compares its digest and run.

    :param log: the end of the service's log.
    :raises SmokeTestFailed: when the verdict is bad.
    """
    if not found.ok:
        body = printable.excerpt(found.body, 200)
        answer = f"; its answer begins {body!r}" if body else ""
        raise SmokeTestFailed(
            f"The image does not pass its smoke test: {found.request} {found.problem}{answer}"
            f"{service_log.tail(log)}"
        )
    return found


def final_finding(pod: Json) -> Finding | None:
    """Why waiting longer cannot help, such as a crash or an image that cannot be pulled."""
    seen = container(pod, APP)
    finding = diagnosis.of_container(seen)
    # restartPolicy is Never, so a terminated container is final.
    over = "terminated" in (seen.get("state") or {})
    if finding and (finding.final or over or not finding.retryable):
        return finding
    if over:
        return Finding(diagnosis.ENDED_BY_ITSELF, final=True)
    if (pod.get("status") or {}).get("phase") == "Failed":
        return _pod_failed(pod)
    return None


def failure(finding: Finding, log: str) -> SmokeTestFailed:
    """The error for a finding, with the service's last log lines unless the finding has them."""
    lines = "" if "\n" in finding.sentence else service_log.tail(log)
    return SmokeTestFailed(
        f"The image does not pass its smoke test: {finding.sentence}{lines}",
        retryable=finding.retryable,
    )


def pod_deleted(name: str) -> SmokeTestFailed:
    """The error for a deleted pod."""
    return SmokeTestFailed(
        f"Pod {name} was deleted before it gave a verdict, so nothing was applied.",
        retryable=True,
    )


def not_started(pod: Json, events: list[dict[str, Any]], seconds: float) -> SmokeTestFailed:
    """The error for a pod whose service did not start in time. A retry would wait again.

    :param pod: the pod as last seen; empty if it was never seen.
    :param seconds: how long the pod was waited for.
    """
    finding = diagnosis.of_pod(pod, events) if pod else None
    why = finding.sentence if finding else "it gave no reason"
    return SmokeTestFailed(
        f"The smoke test's pod did not start in {seconds:.0f} s (cluster.pendingSeconds): {why}."
    )


def is_over(pod: Json, now: datetime) -> bool:
    """Whether a pod has ended, or has outlived its ``activeDeadlineSeconds``."""
    if (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed"):
        return True
    made = datetime.fromisoformat(pod["metadata"]["creationTimestamp"])
    allowed = pod["spec"].get("activeDeadlineSeconds") or 0
    return now - made > timedelta(seconds=allowed) + _DEADLINE_TOLERANCE


def _pod_failed(pod: Json) -> Finding:
    status = pod.get("status") or {}
    why = flat(status.get("message")) or status.get("reason") or "no reason given"
    return Finding(f"its pod failed: {why}", final=True, retryable=True)
