"""Wait until deleted pods have ended; a pod keeps running while it drains connections."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from manifest_engine.domain.core.errors import ClusterError
from manifest_engine.hooks.kubernetes.api_server import Json
from manifest_engine.hooks.kubernetes.cluster import ClusterHook

_WATCH_SECONDS = 5.0
"""Short, because a watch reports no event for a pod that ended before the watch began."""
_RETRY_SECONDS = 1.0
"""Pause before the next request to an API server that is unreachable."""


def wait_for_deletion(
    hook: ClusterHook,
    namespace: str,
    labels: str,
    *,
    seconds: float,
    log: logging.Logger,
    on_look: Callable[[], None] = lambda: None,
) -> list[Json]:
    """Wait until no pod has these labels, and return the pods that still run at the end.

    The wait continues while the API server is unreachable.

    :param labels: a label selector.
    :param seconds: how long to wait, in addition to the longest grace period of the pods.
    :param on_look: called before each look at the pods; an exception ends the wait.
    :raises ClusterError: when the API server refuses to list the pods, or is still unreachable at
        the end.
    """
    begin = time.monotonic()
    end = begin + seconds
    logged: list[str] = []
    while True:
        on_look()
        try:
            pods = hook.find("v1", "Pod", namespace, labels=labels)
            end = max([end, *(begin + _grace_seconds(pod) + seconds for pod in pods)])
            remaining = end - time.monotonic()
            names = [pod["metadata"]["name"] for pod in pods]
            if names and names != logged:
                log.info("Waiting for pods to end: %s", ", ".join(names))
                logged = names
            if not pods or remaining <= 0:
                return pods
            _watch(hook, names[0], namespace, min(remaining, _WATCH_SECONDS))
        except ClusterError as error:
            if not error.retryable or time.monotonic() > end:
                raise
            log.warning("The end of the pods cannot be seen: %s", error)
            time.sleep(_RETRY_SECONDS)


def _grace_seconds(pod: Json) -> float:
    """The grace period of the deletion, or of the pod as long as nobody deletes the pod."""
    given = pod["metadata"].get("deletionGracePeriodSeconds")
    return float(pod["spec"].get("terminationGracePeriodSeconds") or 0 if given is None else given)


def _watch(hook: ClusterHook, name: str, namespace: str, seconds: float) -> None:
    for kind, _ in hook.watch("v1", "Pod", name, namespace, seconds=seconds):
        if kind == "DELETED":
            return
