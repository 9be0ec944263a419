"""Reads the pods of a service and its last log lines, for the page of the service."""

from __future__ import annotations

from functools import partial
from typing import Any

from manifest_engine.api import catalog
from manifest_engine.domain.environment import environments
from manifest_engine.domain.record.history import Place
from manifest_engine.services.record.readings import Readings
from manifest_engine.services.workload import live_pods

_SERVICES_MAX = 500
read = live_pods.read
readings: Readings[Place, dict[str, Any]] = Readings("The cluster", most=_SERVICES_MAX)


def read_pods(component: str, service_name: str) -> list[dict[str, Any]]:
    """An item for each environment where the service is deployed, as JSON-compatible data.

    Takes at most 2 seconds for the list of services, and 2 seconds for the pods. A cluster that did
    not answer for the list is not asked for pods.
    """
    configured = environments.load()
    observations = catalog.observer.observe(configured)
    places = {name: Place(component, service_name, name) for name in configured}
    deployed = {n: place for n, place in places.items() if place in observations[n].services}
    known = readings.get(
        {
            place: partial(read, configured[name], component, service_name)
            for name, place in deployed.items()
            if observations[name].observed
        }
    )
    items = []
    for name, place in deployed.items():
        found = known.get(place)
        item = (found.value if found else None) or {"pods": [], "logOf": None, "log": ""}
        problem = found.problem if found and not found.present else observations[name].problem
        items.append({"environment": name, "problem": problem, **item})
    return items
