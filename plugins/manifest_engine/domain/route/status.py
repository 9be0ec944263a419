"""The status of an HTTPRoute, and a diagnosis of the Gateway behind it."""

from __future__ import annotations

from dataclasses import dataclass

from manifest_engine.domain.environment.environment import Gateway
from manifest_engine.domain.route import attachment
from manifest_engine.domain.route.attachment import Json

_ONE_BAD_LISTENER = "ListenersNotValid"
"""Reason on a Gateway with one invalid listener; its other listeners serve."""


@dataclass(frozen=True)
class Acceptance:
    """Whether a gateway accepted a route."""

    accepted: bool
    problem: str = ""
    """Why the route is refused, or what is still missing."""
    refused: bool = False
    """True if the gateway refused the route, False if it has not answered."""


def acceptance(route: Json, gateway: Gateway) -> Acceptance:
    """Read Accepted and ResolvedRefs of an HTTPRoute's current generation.

    Each Gateway and each named listener sets its own conditions; only those of the environment's
    Gateway count.
    """
    metadata = route["metadata"]
    generation = metadata.get("generation", 0)
    desired = attachment.desired(gateway)
    answer = Acceptance(False, f"the gateway {gateway.namespace}/{gateway.name} has not answered")
    for parent in (route.get("status") or {}).get("parents") or []:
        reference = parent.get("parentRef") or {}
        if attachment.parent_of(reference, metadata["namespace"]) != desired:
            continue
        conditions = {
            condition["type"]: condition
            for condition in parent.get("conditions") or []
            if condition.get("observedGeneration", generation) >= generation
        }
        needed = [conditions.get(kind) for kind in ("Accepted", "ResolvedRefs")]
        refused = [item for item in needed if item and item["status"] == "False"]
        if refused:
            answer = Acceptance(False, _explain(refused[0]), refused=True)
        elif all(item and item["status"] == "True" for item in needed):
            return Acceptance(True)
    return answer


def diagnosis(found: Json | None, gateway: Gateway, host: str, namespace: str) -> str:
    """Why the Gateway does not serve a route, as a clause; empty if no reason is found.

    :param found: the Gateway in the cluster; None when it does not exist.
    :param host: the public host name.
    :param namespace: the namespace of the route.
    """
    name = f"{gateway.namespace}/{gateway.name}"
    if found is None:
        return f"the Gateway {name} does not exist"
    for kind in ("Accepted", "Programmed"):
        if problem := _refusal(found.get("status"), kind):
            return f"the Gateway {name} is not ready: {problem}"
    if _awaits_controller(found.get("status")):
        return (
            f"no controller has programmed the Gateway {name} of the GatewayClass "
            f"{found['spec'].get('gatewayClassName')!r}: install the controller of that class. On "
            "AKS, enable the application routing add-on with Gateway API or Application Gateway "
            "for Containers; an Azure Policy that denies their pods or the Gateway API has this "
            "effect as well (see the cluster's policy compliance)"
        )
    listeners = list(found["spec"].get("listeners") or [])
    if gateway.section:
        listeners = [item for item in listeners if item["name"] == gateway.section]
        if not listeners:
            there = ", ".join(item["name"] for item in found["spec"].get("listeners") or [])
            return f"the Gateway {name} has no listener {gateway.section!r}, but {there or 'none'}"
    problems = [
        problem
        for item in listeners
        if (problem := _problem(found, item, host, same_namespace=namespace == gateway.namespace))
    ]
    return "; ".join(problems) if len(problems) == len(listeners) else ""


def _problem(gateway: Json, listener: Json, host: str, *, same_namespace: bool) -> str:
    """Why a listener does not take a route of that host and namespace."""
    name = f"the listener {listener['name']!r}"
    for status in (gateway.get("status") or {}).get("listeners") or []:
        if status["name"] != listener["name"]:
            continue
        # Programmed is last, since it follows from the others.
        for kind in ("ResolvedRefs", "Accepted", "Programmed"):
            if problem := _refusal(status, kind):
                return f"{name} is not ready: {problem}"
    pattern = listener.get("hostname")
    if pattern and not attachment.covers(pattern, host):
        return f"{name} takes {pattern}, not {host}"
    namespaces = (listener.get("allowedRoutes") or {}).get("namespaces") or {}
    if namespaces.get("from", "Same") == "Same" and not same_namespace:
        return f"{name} takes routes of its own namespace alone (allowedRoutes)"
    return ""


def _refusal(status: Json | None, kind: str) -> str:
    for condition in (status or {}).get("conditions") or []:
        refused = condition["type"] == kind and condition["status"] == "False"
        if refused and condition.get("reason") != _ONE_BAD_LISTENER:
            return _explain(condition)
    return ""


def _awaits_controller(status: Json | None) -> bool:
    """Whether the conditions are still those that Gateway API's resource definition sets."""
    conditions = (status or {}).get("conditions") or []
    return any(item["type"] == "Programmed" and item["status"] == "Unknown" for item in conditions)


def _explain(condition: Json) -> str:
    message = str(condition.get("message") or "no message").rstrip(". ")
    return f"{condition['type']} is false, {condition.get('reason')}: {message}"
