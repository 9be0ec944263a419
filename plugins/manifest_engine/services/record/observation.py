"""Reads what runs in the clusters of all environments, without ever delaying an answer for long.

Each environment costs one paged list of Deployments. A reading runs in a thread of its own, counts
as the present state for 5 seconds, and an answer waits for a reading at most 2 seconds.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, wait
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from threading import Lock, Thread

from manifest_engine.domain.core import printable
from manifest_engine.domain.core.errors import ManifestEngineError
from manifest_engine.domain.environment.environment import Environment
from manifest_engine.domain.record import live
from manifest_engine.domain.record.history import Place
from manifest_engine.domain.record.live import Live, Observation
from manifest_engine.domain.release import labels as label

WAIT_SECONDS = 2.0
"""How long an answer waits for readings of the clusters."""
FRESH_SECONDS = 5.0
"""How long a reading, or its failure, counts as the present state."""
_log = logging.getLogger(__name__)

Configured = Mapping[str, Environment]
Services = dict[Place, Live]
_NOTHING = Observation(problem="The cluster has not answered yet.")


@dataclass
class _Reading:
    """The readings of one environment's cluster."""

    future: Future[Services] | None = None
    began: float = 0.0
    ended: float = float("-inf")
    last: Observation = _NOTHING


class Observer:
    """
    :param read: lists the services of an environment; called in a thread.
    """

    def __init__(self, read: Callable[[str, Configured], Services]) -> None:
        self._read = read
        self._lock = Lock()
        self._readings: dict[str, _Reading] = {}

    def observe(self, configured: Configured) -> dict[str, Observation]:
        """The present state of each environment, or the last known state and why it is old."""
        with self._lock:
            waiting = [future for name in configured if (future := self._begin(name, configured))]
        if waiting:
            wait(waiting, timeout=WAIT_SECONDS)
        with self._lock:
            return {name: self._observation(name) for name in configured}

    def _begin(self, name: str, configured: Configured) -> Future[Services] | None:
        """Begin a reading if there is need; the reading to wait for, if there is one."""
        reading, now = self._readings.setdefault(name, _Reading()), time.monotonic()
        if reading.future is not None:
            # A reading that is late already must not delay one answer after the other.
            return reading.future if now - reading.began < WAIT_SECONDS else None
        if now - reading.ended < FRESH_SECONDS:
            return None
        reading.future, reading.began = Future(), now
        future = reading.future
        arguments = (name, configured, reading, future)
        Thread(target=self._run, args=arguments, name=f"observe-{name}", daemon=True).start()
        return future

    def _run(
        self, name: str, configured: Configured, reading: _Reading, future: Future[Services]
    ) -> None:
        try:
            services, problem = self._read(name, configured), None
        except ManifestEngineError as error:
            services, problem = {}, str(error)
        except Exception as error:
            _log.exception("The services of %s cannot be read", name)
            services, problem = {}, f"The cluster cannot be read ({type(error).__name__})."
        with self._lock:
            reading.ended, reading.future = time.monotonic(), None
            if problem is None:
                reading.last = Observation(services, True, datetime.now(UTC))
            else:
                told = printable.excerpt(problem, printable.LINE_MAX)
                reading.last = replace(reading.last, observed=False, problem=told)
        future.set_result(services)

    def _observation(self, name: str) -> Observation:
        reading = self._readings[name]
        late = reading.future is not None
        if late and time.monotonic() - reading.ended >= FRESH_SECONDS:
            return replace(
                reading.last,
                observed=False,
                problem=f"The cluster has not answered within {WAIT_SECONDS:.0f} s.",
            )
        return reading.last


def read_cluster(name: str, configured: Configured) -> Services:
    """The services of an environment, by one paged list.

    :raises ManifestEngineError: when the cluster cannot be read.
    """
    from manifest_engine.hooks.kubernetes.cluster import ClusterHook

    cluster = configured[name].cluster
    labels = label.label_selector({label.MANAGED_BY: label.MANAGER})
    pages = ClusterHook(cluster.connection).pages(
        "apps/v1", "Deployment", cluster.namespace, labels=labels
    )
    found = (live.read(item, name, configured) for page in pages for item in page)
    return {item.place: item for item in found if item is not None}
