"""Waits until pods that were deleted have ended: they go on for as long as they drain."""

from __future__ import annotations

import logging
import time

from manifest_engine.domain.core.errors import ClusterError
from manifest_engine.hooks.kubernetes.api_server import Json
from manifest_engine.hooks.kubernetes.cluster import ClusterHook

_WATCH_SECONDS = 5.0
"""A pod that was gone before its watch began is never seen to go."""
_AWAY_SECONDS = 1.0
"""Pause before an API server that is away is asked again."""


def await_gone(
    hook: ClusterHook, namespace: str, labels: str, *, seconds: float, log: logging.Logger
) -> list[Json]:
    """Wait until no pod has these labels; the pods that are left when the time is over.

    An API server that is away meanwhile is waited for.

    :param labels: a label selector.
    :raises ClusterError: when the cluster refuses to tell, or is away for all of the time.
    """
    end = time.monotonic() + seconds
    told: list[str] = []
    while True:
        left_seconds = end - time.monotonic()
        try:
            pods = hook.find("v1", "Pod", namespace, labels=labels)
            names = [pod["metadata"]["name"] for pod in pods]
            if names and names != told:
                log.info("Waiting for pods to end: %s", ", ".join(names))
                told = names
            if not pods or left_seconds <= 0:
                return pods
            _watch(hook, names[0], namespace, min(left_seconds, _WATCH_SECONDS))
        except ClusterError as error:
            if not error.retryable or left_seconds <= 0:
                raise
            log.warning("The end of the pods cannot be seen: %s", error)
            time.sleep(_AWAY_SECONDS)


def _watch(hook: ClusterHook, name: str, namespace: str, seconds: float) -> None:
    for kind, _ in hook.watch("v1", "Pod", name, namespace, seconds=seconds):
        if kind == "DELETED":
            return
