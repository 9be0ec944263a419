"""Wait until deleted pods have ended; a pod keeps running while it drains connections."""

from __future__ import annotations

import logging
import time

from manifest_engine.domain.core.errors import ClusterError
from manifest_engine.hooks.kubernetes.api_server import Json
from manifest_engine.hooks.kubernetes.cluster import ClusterHook

_WATCH_SECONDS = 5.0
"""Short, because a watch reports no event for a pod that ended before the watch began."""
_RETRY_SECONDS = 1.0
"""Pause before the next request to an API server that is unreachable."""


def wait_for_deletion(
    hook: ClusterHook, namespace: str, labels: str, *, seconds: float, log: logging.Logger
) -> list[Json]:
    """Wait until no pod has these labels, and return the pods that still run after ``seconds``.

    While the API server is unreachable, the wait goes on.

    :param labels: a label selector.
    :raises ClusterError: when the API server refuses to list the pods, or is still unreachable at
        the end.
    """
    end = time.monotonic() + seconds
    logged: list[str] = []
    while True:
        remaining = end - time.monotonic()
        try:
            pods = hook.find("v1", "Pod", namespace, labels=labels)
            names = [pod["metadata"]["name"] for pod in pods]
            if names and names != logged:
                log.info("Waiting for pods to end: %s", ", ".join(names))
                logged = names
            if not pods or remaining <= 0:
                return pods
            _watch(hook, names[0], namespace, min(remaining, _WATCH_SECONDS))
        except ClusterError as error:
            if not error.retryable or remaining <= 0:
                raise
            log.warning("The end of the pods cannot be seen: %s", error)
            time.sleep(_RETRY_SECONDS)


def _watch(hook: ClusterHook, name: str, namespace: str, seconds: float) -> None:
    for kind, _ in hook.watch("v1", "Pod", name, namespace, seconds=seconds):
        if kind == "DELETED":
            return
