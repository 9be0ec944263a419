"""From one address of a service to another: the former answers until the new one does.

A service's route changes its address when its environment gets another gateway, listener, class or
host name. Kubernetes objects are changed in place, which would take the former address away before
anybody knows whether the new one works.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from manifest_engine.domain import marks
from manifest_engine.domain.route_parents import Parent, parent_of, parents

Json = Mapping[str, Any]

OTHER = {
    "HTTPRoute": ("networking.k8s.io/v1", "Ingress"),
    "Ingress": ("gateway.networking.k8s.io/v1", "HTTPRoute"),
}
"""The other kind of route: API version and kind."""


def both(live: Json, wanted: Json) -> dict[str, Any]:
    """The wanted route, which also keeps the addresses that the live one has.

    Where both cannot stand in one object it is the wanted one: an Ingress of another class, and a
    Gateway of which one state names a listener and the other one none.
    """
    return (_both_ingresses if wanted["kind"] == "Ingress" else _both_routes)(live, wanted)


def former(live: Json, wanted: Json) -> dict[str, Any]:
    """The wanted route at the live one's addresses alone: what a failed switch returns to."""
    if wanted["kind"] == "Ingress":
        return {**wanted, "spec": live["spec"]}
    kept = {key: live["spec"][key] for key in ("parentRefs", "hostnames") if key in live["spec"]}
    spec = {key: part for key, part in wanted["spec"].items() if key != "hostnames"}
    return {**wanted, "spec": spec | kept}


def again(removed: Json) -> dict[str, Any]:
    """A route that was removed, as it can be applied again."""
    kept = ("name", "namespace", "labels", "annotations")
    metadata = {key: part for key, part in removed["metadata"].items() if key in kept}
    return {
        "apiVersion": removed["apiVersion"],
        "kind": removed["kind"],
        "metadata": metadata,
        "spec": removed["spec"],
    }


def noted(route: Json, kind: str) -> dict[str, Any]:
    """The route with a note that it replaces one of the other kind, which is to go."""
    metadata = route["metadata"]
    annotations = {**(metadata.get("annotations") or {}), marks.REPLACES: kind}
    return {**route, "metadata": {**metadata, "annotations": annotations}}


def _both_ingresses(live: Json, wanted: Json) -> dict[str, Any]:
    spec = wanted["spec"]
    if live["spec"].get("ingressClassName") != spec["ingressClassName"]:
        return dict(wanted)
    hosts = {rule.get("host") for rule in spec["rules"]}
    kept = [rule for rule in live["spec"].get("rules") or [] if rule.get("host") not in hosts]
    return {**wanted, "spec": {**spec, "rules": [*spec["rules"], *kept]}}


def _both_routes(live: Json, wanted: Json) -> dict[str, Any]:
    spec = wanted["spec"]
    new = parents(wanted)
    namespace = wanted["metadata"]["namespace"]
    kept = []
    for reference in live["spec"].get("parentRefs") or []:
        parent = parent_of(reference, namespace)
        of_one = [other for other in new if other.gateway == parent.gateway]
        if parent not in new and all(
            _names_a_listener(parent) and _names_a_listener(other) for other in of_one
        ):
            kept.append(reference)
    made = {**spec, "parentRefs": [*spec["parentRefs"], *kept]}
    some, others = spec.get("hostnames"), live["spec"].get("hostnames")
    if some and others:
        made["hostnames"] = [*some, *(host for host in others if host not in some)]
    else:
        made.pop("hostnames", None)  # one of them takes every host
    return {**wanted, "spec": made}


def _names_a_listener(parent: Parent) -> bool:
    return bool(parent.section or parent.port)
