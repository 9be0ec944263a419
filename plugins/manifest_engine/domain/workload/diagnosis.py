"""Diagnose why a pod or a rollout does not come up, in one sentence.

Objects are JSON objects of the Kubernetes API. A finding that is ``final`` ends the wait before
the deadline, because waiting longer cannot help.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from manifest_engine.domain.workload import image_pull, refusals
from manifest_engine.domain.workload.finding import Finding, flat
from manifest_engine.domain.workload.service_log import advice, tail

Json = Mapping[str, Any]

CRASHES = 2
"""Restarts after which a crash is final: three starts have failed."""
STARTING = frozenset({"ContainerCreating", "PodInitializing"})
"""Waiting reasons of a container that the kubelet is about to start."""
ENDED_BY_ITSELF = (
    "the service ended by itself with exit code 0; a service must keep running, so check that the "
    "CMD of its Dockerfile starts the server"
)
_START_ERRORS = (
    (
        "permission denied",
        "; the file is not executable: run chmod +x in the Dockerfile, or COPY --chmod=755",
    ),
    ("executable file not found in $path", "; install the program, or correct the CMD"),
)
"""Messages of runc (libcontainer) and the advice that follows them."""
KILLED = (137, 143)
"""Exit codes: 128 + SIGKILL, 128 + SIGTERM."""
_NO_CLUSTER_DNS = "MissingClusterDNS"
"""A warning of a kubelet without a DNS address; the pod starts all the same."""
_NOT_STARTED = {
    "CreateContainerConfigError": "made",
    "CreateContainerError": "made",
    "RunContainerError": "started",
}
_TRANSIENT = re.compile(
    r"context deadline exceeded|code = DeadlineExceeded|timed out waiting for the condition"
    r"|failed to reserve container name|services have not yet been read"
    r"|error while dialing|error reading from server",
    re.IGNORECASE,
)
"""Messages of a kubelet or containerd that is slow or was just restarted, and tries again.

EOF is not in the list: runc reports it when the memory limit is too small for runc itself.
"""
_PREEMPTION = re.compile(r"\.? (?:no new claims to deallocate, )?preemption: .*", re.DOTALL)
"""The second half of the scheduler's message: that no other pod can be removed instead."""
_NODE_HINTS = (
    ("node.kubernetes.io/disk-pressure", "a node's disk is full: free some, or add a node"),
    ("node.kubernetes.io/memory-pressure", "a node's memory is used up: add a node"),
    (
        "had untolerated taint",
        "kubectl describe nodes shows the taints: Kubernetes sets one when a node's disk is full, "
        "and pods.tolerations of the environment admits the service to reserved nodes",
    ),
    ("were unschedulable", "a node is cordoned, for example to drain it (kubectl get nodes)"),
)
"""Words of the scheduler and what they mean for an operator. From 1.36 on, the scheduler does not
name the taint."""
NOT_READY = "the service does not become ready: "
"""Beginning of the sentence about a failing probe."""


def of_pods(
    pods: Iterable[Json],
    events: Iterable[Json] = (),
    *,
    must_stay_up: bool = False,
    restarts: Mapping[str, int] | None = None,
) -> Finding | None:
    """The finding closest to the cause; None when the pods are well or have just started.

    :param must_stay_up: as in :func:`of_pod`.
    :param restarts: as in :func:`of_pod`.
    """
    events = list(events)
    rules: dict[str, Any] = {"must_stay_up": must_stay_up, "restarts": restarts}
    found = [finding for pod in pods if (finding := of_pod(pod, events, **rules))]
    return max(found, key=lambda finding: (finding.final, finding.rank), default=None)


def of_pod(
    pod: Json,
    events: Iterable[Json] = (),
    *,
    must_stay_up: bool = False,
    restarts: Mapping[str, int] | None = None,
) -> Finding | None:
    """What is wrong with one pod.

    :param must_stay_up: whether a crash after the pod was ready is final. Before, a service may
        crash and restart, for example while it waits for a database.
    :param restarts: result of :func:`restarts_of` at the time when the pod was ready. A container
        with more restarts has crashed, even if the pod is ready again.
    """
    status = pod.get("status") or {}
    name = pod["metadata"]["name"]
    containers = [
        *(status.get("initContainerStatuses") or []),
        *(status.get("containerStatuses") or []),
    ]
    mine = [event for event in events if (event.get("involvedObject") or {}).get("name") == name]
    found = [
        image_pull.check_pull_secret(finding, mine)
        for item in containers
        if (finding := of_container(item))
    ]
    if must_stay_up and (crashed := _crash_of_ready(status)):
        found.append(crashed)
    if restarts is not None and (crashed := _crash_since(pod, restarts)):
        found.append(crashed)
    if status.get("reason") == "Evicted":
        sentence = f"pod {name} was evicted: {flat(status.get('message'))}"
        found.append(Finding(sentence, final=True, retryable=True, rank=9))
    if not containers and (unscheduled := _unscheduled(status)):
        found.append(unscheduled)
    if probed := _probe(mine, containers):
        found.append(probed)
    if not found and not _ready(containers) and (stuck := _stuck(mine)):
        found.append(stuck)
    worst = max(found, key=lambda finding: (finding.final, finding.rank), default=None)
    return worst and replace(worst, pod=name)


def restarts_of(pods: Iterable[Json]) -> dict[str, int]:
    """How often each container was restarted, by ``pod/container``."""
    return {
        f"{pod['metadata']['name']}/{item['name']}": int(item.get("restartCount", 0))
        for pod in pods
        for item in (pod.get("status") or {}).get("containerStatuses") or []
    }


def of_container(status: Json) -> Finding | None:
    """What is wrong with one container, from its entry in the pod's status."""
    if status.get("ready"):
        return None
    state, last = status.get("state") or {}, status.get("lastState") or {}
    waiting = state.get("waiting") or {}
    reason, message = waiting.get("reason", ""), waiting.get("message") or ""
    if reason in image_pull.REASONS:
        return image_pull.failed(status.get("image", ""), reason, message)
    if reason in _NOT_STARTED:
        return _not_started(_NOT_STARTED[reason], flat(message) or reason)
    ended = state.get("terminated") or last.get("terminated")
    if ended and ended.get("exitCode", 0) != 0:
        return _ended(status, ended)
    if ended and state.get("terminated") is None and status.get("restartCount", 0) > 0:
        said = tail(ended.get("message"))
        return Finding(ENDED_BY_ITSELF + said, final=_crashed(status), rank=7)
    return None


def _not_started(step: str, message: str) -> Finding:
    transient = _TRANSIENT.search(message) is not None
    said = message.casefold()
    hints = (hint for words, hint in _START_ERRORS if "exec" in said and words in said)
    sentence = f"the container cannot be {step}: {message}{next(hints, advice(message))}"
    return Finding(sentence, final=not transient, retryable=transient, rank=8)


def _restarted(status: Json) -> bool:
    return int(status.get("restartCount", 0)) >= CRASHES


def _crashed(status: Json) -> bool:
    """Whether the container failed for good. A container that runs, or is about to, may still
    come up."""
    state = status.get("state") or {}
    starts = "running" in state or (state.get("waiting") or {}).get("reason") in STARTING
    return _restarted(status) and not starts


def _ready(containers: list[Json]) -> bool:
    return bool(containers) and all(item.get("ready") for item in containers)


def _ended(status: Json, ended: Json) -> Finding:
    code, reason = ended.get("exitCode"), ended.get("reason", "")
    if reason == "OOMKilled":
        sentence = "the service was killed because it used more memory than its limit allows"
        return Finding(sentence + tail(ended.get("message")), final=_crashed(status), rank=9)
    if reason in ("StartError", "ContainerCannotRun"):
        return _not_started("started", flat(ended.get("message")) or reason)
    if code in KILLED:
        # The kubelet most likely stopped the container after a failed probe; an event about the
        # probe ranks higher. Each restart had the full startup time, so a running container does
        # not clear the finding.
        sentence = f"the service was stopped by a signal (exit code {code})"
        return Finding(sentence + tail(ended.get("message")), final=_restarted(status), rank=4)
    sentence = f"the service crashed with exit code {code}{advice(ended.get('message'))}"
    return Finding(sentence + tail(ended.get("message")), final=_crashed(status), rank=7)


def _crash_of_ready(status: Json) -> Finding | None:
    """A crash of a container in a pod that was ready, and is not ready since the crash.

    A pod that was never ready is not ready since before its container started, so the time of the
    condition's last change tells the two apart.
    """
    unready = [
        condition.get("lastTransitionTime") or ""
        for condition in status.get("conditions") or []
        if condition.get("type") == "Ready" and condition.get("status") == "False"
    ]
    for item in status.get("containerStatuses") or []:
        states = item.get("state") or {}, item.get("lastState") or {}
        ended = next((state["terminated"] for state in states if state.get("terminated")), None)
        was_ready = ended and unready and (ended.get("startedAt") or "~") < unready[0]
        if ended and was_ready and (crashed := _crash(item, ended)):
            return crashed
    return None


def _crash_since(pod: Json, restarts: Mapping[str, int]) -> Finding | None:
    """A crash of a container that has more restarts than in ``restarts``."""
    for key, count in restarts_of([pod]).items():
        if count > restarts.get(key, count):
            listed = pod["status"]["containerStatuses"]
            item = next(item for item in listed if key.endswith(f"/{item['name']}"))
            ended = (item.get("lastState") or {}).get("terminated")
            if ended and (crashed := _crash(item, ended)):
                return crashed
    return None


def _crash(status: Json, ended: Json) -> Finding | None:
    """The finding for a container that had been ready; None if the kubelet stopped it."""
    finding = of_container({**status, "ready": False})
    if finding is None or (ended.get("exitCode") in KILLED and ended.get("reason") != "OOMKilled"):
        return None
    sentence = f"after the pod had been ready, {finding.sentence}"
    return replace(finding, sentence=sentence, final=True, rank=9)


def _unscheduled(status: Json) -> Finding | None:
    for condition in status.get("conditions") or []:
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
            text = flat(_PREEMPTION.sub("", condition.get("message") or ""))
            hint = next((hint for words, hint in _NODE_HINTS if words in text), "")
            text = f"{text.rstrip('.')}; {hint}" if hint else text
            return Finding(f"no node fits the pod: {text}", retryable=True, rank=6)
    return None


def _probe(events: list[Json], containers: list[Json]) -> Finding | None:
    """A container runs but does not become ready; the event has the answer to the probe."""
    if not containers or _ready(containers):
        return None
    failing = [event for event in events if event.get("reason") == "Unhealthy"]
    if not failing:
        return None
    # Every container refuses connections while it starts, so prefer an event with an answer.
    last = max(
        failing,
        key=lambda event: (
            "connection refused" not in str(event.get("message")),
            str(event.get("lastTimestamp") or ""),
        ),
    )
    sentence = f"{NOT_READY}{flat(last.get('message'))}"
    # The kubelet restarts a container whose probe fails, so the container may be running now. After
    # a crash, the next start fails its probes until it listens.
    final = any(_restarted(item) and not _has_crashed(item) for item in containers)
    return Finding(sentence, final=final, rank=5)


def _has_crashed(status: Json) -> bool:
    ended = (status.get("lastState") or {}).get("terminated") or {}
    return ended.get("exitCode", 0) not in (0, *KILLED)


def _stuck(events: list[Json]) -> Finding | None:
    """The last warning of a pod, such as FailedMount or FailedCreatePodSandBox."""
    warnings = [
        event
        for event in events
        if event.get("type") == "Warning" and event.get("reason") != _NO_CLUSTER_DNS
    ]
    if not warnings:
        return None
    last = max(warnings, key=lambda event: str(event.get("lastTimestamp") or ""))
    return Finding(f"the pod does not start: {flat(last.get('message'))}", retryable=True, rank=3)


def of_creation(deployment: Json) -> Finding | None:
    """Why no pods were created: quota, admission or a missing ServiceAccount."""
    for condition in (deployment.get("status") or {}).get("conditions") or []:
        if condition.get("type") == "ReplicaFailure" and condition.get("status") == "True":
            text = flat(condition.get("message"))
            if "exceeded quota" in text:
                sentence = f"the namespace's quota is used up: {text}. {refusals.remedy(text)}"
                return Finding(sentence, retryable=True, rank=9)
            final = refusals.is_final(text)
            sentence = f"the cluster refuses the pods: {text}. {refusals.remedy(text)}"
            return Finding(sentence, final=final, rank=9)
    return None
