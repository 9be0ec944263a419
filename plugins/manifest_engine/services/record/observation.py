"""Reads the live releases of all environments, by one paged list of Deployments per environment."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from manifest_engine.domain.environment.environment import Environment
from manifest_engine.domain.record import live
from manifest_engine.domain.record.history import Place
from manifest_engine.domain.record.live import Live, Observation
from manifest_engine.domain.release import labels as label
from manifest_engine.services.record.readings import Known, Readings

_ENVIRONMENTS_MAX = 1_000
PAGE = 50
"""Deployments in a page. Large pages would delay other threads, because parsing holds the GIL."""

Configured = Mapping[str, Environment]
Services = dict[Place, Live]


class Observer:
    """
    :param read: lists the services of an environment; called in a thread.
    """

    def __init__(self, read: Callable[[str, Configured], Services]) -> None:
        self._read = read
        self._readings: Readings[str, Services] = Readings("The cluster", most=_ENVIRONMENTS_MAX)
        self._made: dict[str, tuple[Known[Services], Observation]] = {}

    def observe(self, configured: Configured) -> dict[str, Observation]:
        """The present state of each environment, or the last known state with a reason.

        The object of an environment stays the same until another reading has ended.
        """
        reads = {name: partial(self._read, name, configured) for name in configured}
        return {
            name: self._observation(name, item) for name, item in self._readings.get(reads).items()
        }

    def _observation(self, name: str, known: Known[Services]) -> Observation:
        before = self._made.get(name)
        if before and before[0] is known:
            return before[1]
        made = Observation(known.value or {}, known.present, known.at, known.problem)
        self._made[name] = known, made
        return made


def read_cluster(name: str, configured: Configured) -> Services:
    """The services of an environment, by one paged list.

    :raises ManifestEngineError: when the cluster cannot be read.
    """
    from manifest_engine.hooks.kubernetes.cluster import ClusterHook

    cluster = configured[name].cluster
    labels = label.label_selector({label.MANAGED_BY: label.MANAGER})
    pages = ClusterHook(cluster.connection).pages(
        "apps/v1", "Deployment", cluster.namespace, labels=labels, limit=PAGE
    )
    found = (live.read(item, name, configured) for page in pages for item in page)
    return {item.place: item for item in found if item is not None}
