"""What a route attaches to: Gateway listeners (with the API's defaults) and host names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from manifest_engine.domain.environment.environment import Gateway

Json = Mapping[str, Any]

GROUP = "gateway.networking.k8s.io"


class Parent(NamedTuple):
    """One listener of a Gateway, or all listeners if neither section nor port is set."""

    gateway: tuple[str, str, str, str]
    """Group, kind, namespace, name."""
    section: str | None
    port: int | None


def parents(route: Json) -> set[Parent]:
    """The parents of an HTTPRoute; empty for an Ingress."""
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
    """The parent of the routes of an environment."""
    where = (GROUP, "Gateway", gateway.namespace, gateway.name)
    return Parent(where, gateway.section, None)


def covers(pattern: str, host: str) -> bool:
    """Match a host name by the rule of Gateway API: ``*.`` stands for one or more labels."""
    return pattern == host or (pattern.startswith("*.") and host.endswith(pattern[1:]))


def covers_one_label(pattern: str, host: str) -> bool:
    """Match a host name by the rule of an Ingress: ``*.`` stands for a single label."""
    return pattern == host or (pattern.startswith("*.") and host.partition(".")[2] == pattern[2:])
