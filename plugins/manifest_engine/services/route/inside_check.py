"""Calls a new pod of an internal service, which no public URL reaches."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from manifest_engine.domain.core.errors import UnexpectedAnswer
from manifest_engine.domain.release.release import Release
from manifest_engine.domain.smoke import answer as answers
from manifest_engine.domain.smoke import outcome as smoke_outcome
from manifest_engine.domain.smoke.progress import Conclusion, Progress
from manifest_engine.hooks.kubernetes import pod_proxy
from manifest_engine.hooks.kubernetes.errors import NotFound

if TYPE_CHECKING:
    from manifest_engine.hooks.kubernetes.api_server import Json
    from manifest_engine.services.workload.workload import Workload

PAUSE_SECONDS = 0.2


def await_answer(
    workload: Workload, release: Release, log: logging.Logger, on_look: Callable[[], None]
) -> int | None:
    """Wait until a new pod answers as the smoke test expects, and return the HTTP status.

    The API server forwards the request to the pod, so an old pod cannot answer. If only the kubelet
    checks the service (gRPC, TCP, a command), wait for a ready pod and return None.

    :param on_look: called before each request; an exception ends the wait.
    :raises UnexpectedAnswer: when the pod gives a wrong answer or no pod is ready.
    """
    progress = Progress(release.manifest)
    begin = time.monotonic()
    while True:
        on_look()
        pod = _ready_pod(workload)
        name = pod["metadata"]["name"] if pod else ""
        found = pod and _ask(workload, pod, progress, begin)
        if found:
            break
        if not pod and time.monotonic() - begin > release.manifest.smoke_test.timeout_seconds:
            raise UnexpectedAnswer(
                f"{release.name} cannot be called inside the cluster: no new pod is ready."
            )
        time.sleep(PAUSE_SECONDS)
    asked = answers.asking(found.asked)
    if found.problem:
        raise UnexpectedAnswer(
            f"{release.name} gives a wrong answer inside the cluster: {asked} of pod {name} "
            f"{found.problem}."
        )
    log.info("Pod %s: %s answers %s", name, asked, found.answer.status or "the kubelet: ready")
    return found.answer.status


def _ready_pod(workload: Workload) -> Json | None:
    live = workload.live()
    for pod in workload.rollout.newest_pods(live) if live else []:
        if smoke_outcome.is_ready(pod) and not pod["metadata"].get("deletionTimestamp"):
            return pod
    return None


def _ask(workload: Workload, pod: Json, progress: Progress, begin: float) -> Conclusion | None:
    asked_at = time.monotonic()
    request = progress.request
    try:
        answer = pod_proxy.get(workload.hook, pod, request) if request else None
    except NotFound:
        return None  # the pod is gone; call the next pod
    now = time.monotonic()
    return progress.judge(answer, now - begin, took=now - asked_at, pod_ready=True)
