"""What an HTTPRoute attaches to: the parents that it names, with the defaults of the API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from manifest_engine.domain.environment.environment import Gateway

Json = Mapping[str, Any]

GROUP = "gateway.networking.k8s.io"


class Parent(NamedTuple):
    """A listener, or all listeners where neither section nor port is named."""

    gateway: tuple[str, str, str, str]
    """Group, kind, namespace, name."""
    section: str | None
    port: int | None


def parents(route: Json) -> set[Parent]:
    """Those that a route asks for; none for an Ingress."""
    return {
        parent_of(reference, route["metadata"]["namespace"])
        for reference in route["spec"].get("parentRefs") or []
    }


def parent_of(reference: Json, namespace: str) -> Parent:
    """A ``parentRef`` of a route in ``namespace``.

    :source: gateway.networking.k8s.io/v1 ParentReference.
    """
    gateway = (
        reference.get("group", GROUP),
        reference.get("kind", "Gateway"),
        reference.get("namespace") or namespace,
        reference["name"],
    )
    return Parent(gateway, reference.get("sectionName") or None, reference.get("port") or None)


def desired(gateway: Gateway) -> Parent:
    """The parent that an environment's routes ask for."""
    where = (GROUP, "Gateway", gateway.namespace, gateway.name)
    return Parent(where, gateway.section, None)
