"""Move a service to another public address: the former route answers until the new one does.

The address changes when the environment gets another gateway, listener, ingress class or host name.
Applying the new route in place would remove the former address before the new one is verified.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from manifest_engine.domain.release import annotations as annotation
from manifest_engine.domain.route.attachment import Json, Parent, parent_of, parents
from manifest_engine.domain.route.routes import KINDS

OTHER = {"HTTPRoute": KINDS["ingress"], "Ingress": KINDS["gateway"]}
"""API version and kind of the other kind of route."""


def keep_both(live: Json, desired: Json) -> dict[str, Any]:
    """The desired route with the addresses of the live route added.

    The addresses are not added where one object cannot have both: an Ingress of another class, and
    a Gateway of which only one of the two routes names a listener.
    """
    return (_both_ingresses if desired["kind"] == "Ingress" else _both_routes)(live, desired)


def as_applied(route: Json) -> dict[str, Any]:
    """Reduce a live route to the fields that can be applied again."""
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


def former_routes(live: Json | None, other: Json | None) -> list[dict[str, Any]]:
    """The service's last verified routes: none, one, or one of each kind.

    If an earlier try was killed, its unverified route has them in an annotation.

    :param live: the live route of the desired kind.
    :param other: the live route of the other kind.
    """
    recorded = annotation.unpack(annotation.read_annotations(live).get(annotation.FORMER_ROUTES))
    if recorded is not None:
        return recorded
    return [as_applied(route) for route in (live, other) if route is not None]


def annotated(route: Json, annotations: Mapping[str, str]) -> dict[str, Any]:
    """Add annotations to a route."""
    metadata = route["metadata"]
    merged = {**(metadata.get("annotations") or {}), **annotations}
    return {**route, "metadata": {**metadata, "annotations": merged}}


def _both_ingresses(live: Json, desired: Json) -> dict[str, Any]:
    spec = desired["spec"]
    if live["spec"].get("ingressClassName") != spec["ingressClassName"]:
        return dict(desired)
    hosts = {rule.get("host") for rule in spec["rules"]}
    kept = [rule for rule in live["spec"].get("rules") or [] if rule.get("host") not in hosts]
    return {**desired, "spec": {**spec, "rules": [*spec["rules"], *kept]}}


def _both_routes(live: Json, desired: Json) -> dict[str, Any]:
    spec = desired["spec"]
    new = parents(desired)
    namespace = desired["metadata"]["namespace"]
    kept = []
    for reference in live["spec"].get("parentRefs") or []:
        parent = parent_of(reference, namespace)
        same_gateway = [other for other in new if other.gateway == parent.gateway]
        if parent not in new and all(
            _names_a_listener(parent) and _names_a_listener(other) for other in same_gateway
        ):
            kept.append(reference)
    made = {**spec, "parentRefs": [*spec["parentRefs"], *kept]}
    some, others = spec.get("hostnames"), live["spec"].get("hostnames")
    if some and others:
        made["hostnames"] = [*some, *(host for host in others if host not in some)]
    else:
        made.pop("hostnames", None)  # one of the two routes serves every host
    return {**desired, "spec": made}


def _names_a_listener(parent: Parent) -> bool:
    return bool(parent.section or parent.port)
