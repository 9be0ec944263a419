"""From one address of a service to another: the former answers until the new one does.

A service's route changes its address when its environment gets another gateway, listener, class or
host name. Kubernetes objects are changed in place, which would take the former address away before
anybody knows whether the new one works.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from manifest_engine.domain.release import annotations as annotation
from manifest_engine.domain.route.parents import Parent, parent_of, parents

Json = Mapping[str, Any]

OTHER = {
    "HTTPRoute": ("networking.k8s.io/v1", "Ingress"),
    "Ingress": ("gateway.networking.k8s.io/v1", "HTTPRoute"),
}
"""The other kind of route: API version and kind."""


def keep_both(live: Json, wanted: Json) -> dict[str, Any]:
    """The wanted route, which also keeps the addresses that the live one has.

    Where both cannot stand in one object it is the wanted one: an Ingress of another class, and a
    Gateway of which one state names a listener and the other one none.
    """
    return (_both_ingresses if wanted["kind"] == "Ingress" else _both_routes)(live, wanted)


def as_applied(route: Json) -> dict[str, Any]:
    """A route as the API server gave it, so that it can be applied again."""
    metadata = {key: route["metadata"][key] for key in ("name", "namespace")}
    metadata["labels"] = dict(route["metadata"].get("labels") or {})
    annotations = {
        key: text
        for key, text in annotation.read_annotations(route).items()
        if key not in (annotation.FORMER_ROUTES, annotation.REPLACES)
    }
    if annotations:
        metadata["annotations"] = annotations
    return {
        "apiVersion": route["apiVersion"],
        "kind": route["kind"],
        "metadata": metadata,
        "spec": route["spec"],
    }


def formers(live: Json | None, other: Json | None) -> list[dict[str, Any]]:
    """The service's last verified routes: none, one, or one of each kind.

    A try that was killed has recorded them on the route that it left behind.

    :param live: the route of the wanted kind as it is.
    :param other: the service's route of the other kind, if there is one.
    """
    recorded = annotation.unpack(annotation.read_annotations(live).get(annotation.FORMER_ROUTES))
    if recorded is not None:
        return recorded
    return [as_applied(route) for route in (live, other) if route is not None]


def annotated(route: Json, annotations: Mapping[str, str]) -> dict[str, Any]:
    """The route with further annotations."""
    metadata = route["metadata"]
    merged = {**(metadata.get("annotations") or {}), **annotations}
    return {**route, "metadata": {**metadata, "annotations": merged}}


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
