"""What a gateway says about a route, and what may be wrong with the Gateway itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from manifest_engine.domain.environment.environment import Gateway
from manifest_engine.domain.route import hosts
from manifest_engine.domain.route import parents as route_parents

Json = Mapping[str, Any]

_OF_A_LISTENER = "ListenersNotValid"
"""Said of a Gateway that has one bad listener, while the others serve."""


@dataclass(frozen=True)
class Acceptance:
    """What the gateway says about a route."""

    accepted: bool
    problem: str = ""
    """Why not, or what is still missing."""
    refused: bool = False
    """It has said no, rather than nothing yet."""


def acceptance(route: Json, gateway: Gateway) -> Acceptance:
    """Judge an HTTPRoute's status: Accepted and ResolvedRefs, for its present generation.

    Each Gateway, and each listener that is named, answers for itself: only the answer of the
    environment's own counts.
    """
    metadata = route["metadata"]
    generation = metadata.get("generation", 0)
    wanted = route_parents.desired(gateway)
    answer = Acceptance(False, f"the gateway {gateway.namespace}/{gateway.name} has not answered")
    for parent in (route.get("status") or {}).get("parents") or []:
        reference = parent.get("parentRef") or {}
        if route_parents.parent_of(reference, metadata["namespace"]) != wanted:
            continue
        conditions = {
            condition["type"]: condition
            for condition in parent.get("conditions") or []
            if condition.get("observedGeneration", generation) >= generation
        }
        needed = [conditions.get(kind) for kind in ("Accepted", "ResolvedRefs")]
        refused = [item for item in needed if item and item["status"] == "False"]
        if refused:
            answer = Acceptance(False, _told(refused[0]), refused=True)
        elif all(item and item["status"] == "True" for item in needed):
            return Acceptance(True)
    return answer


def diagnosis(found: Json | None, gateway: Gateway, host: str, namespace: str) -> str:
    """What is wrong with the Gateway for a route, as half a sentence; empty if nothing is seen.

    :param found: the Gateway as the cluster has it, None when there is none.
    :param host: the name that the public calls.
    :param namespace: that of the route.
    """
    name = f"{gateway.namespace}/{gateway.name}"
    if found is None:
        return f"the Gateway {name} does not exist"
    for kind in ("Accepted", "Programmed"):
        if told := _refusal(found.get("status"), kind):
            return f"the Gateway {name} is not ready: {told}"
    listeners = list(found["spec"].get("listeners") or [])
    if gateway.section:
        listeners = [item for item in listeners if item["name"] == gateway.section]
        if not listeners:
            there = ", ".join(item["name"] for item in found["spec"].get("listeners") or [])
            return f"the Gateway {name} has no listener {gateway.section!r}, but {there or 'none'}"
    problems = [
        problem
        for item in listeners
        if (problem := _problem(found, item, host, from_home=namespace == gateway.namespace))
    ]
    return "; ".join(problems) if len(problems) == len(listeners) else ""


def _problem(gateway: Json, listener: Json, host: str, *, from_home: bool) -> str:
    """Why a listener does not take a route of that host and namespace."""
    name = f"the listener {listener['name']!r}"
    for status in (gateway.get("status") or {}).get("listeners") or []:
        if status["name"] != listener["name"]:
            continue
        # The more telling ones first: Programmed follows from them.
        for kind in ("ResolvedRefs", "Accepted", "Programmed"):
            if told := _refusal(status, kind):
                return f"{name} is not ready: {told}"
    pattern = listener.get("hostname")
    if pattern and not hosts.covers(pattern, host):
        return f"{name} takes {pattern}, not {host}"
    namespaces = (listener.get("allowedRoutes") or {}).get("namespaces") or {}
    if namespaces.get("from", "Same") == "Same" and not from_home:
        return f"{name} takes routes of its own namespace alone (allowedRoutes)"
    return ""


def _refusal(status: Json | None, kind: str) -> str:
    for condition in (status or {}).get("conditions") or []:
        refused = condition["type"] == kind and condition["status"] == "False"
        if refused and condition.get("reason") != _OF_A_LISTENER:
            return _told(condition)
    return ""


def _told(condition: Json) -> str:
    message = str(condition.get("message") or "no message").rstrip(". ")
    return f"{condition['type']} is false, {condition.get('reason')}: {message}"
