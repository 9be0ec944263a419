"""Who owns a public path: our route must not take a path that another object serves."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from manifest_engine.domain.release import annotations as annotation
from manifest_engine.domain.release import labels as label
from manifest_engine.domain.route.attachment import Json, Parent, covers, covers_one_label, parents

_INGRESS_CLASS = "kubernetes.io/ingress.class"
"""The predecessor of ``spec.ingressClassName``; controllers still read it."""


@dataclass(frozen=True)
class Claim:
    """Another object that serves our path, or a path below it, on the same host."""

    owner: str
    """E.g. ``HTTPRoute billing/quotes of service pricing-quotes``."""
    path: str
    whole: bool
    """True for the same path, False for a path below it."""


def claims(route: Json, others: Iterable[Json]) -> list[Claim]:
    """Claims of other objects on the path of ``route``.

    :param route: our HTTPRoute or Ingress, as the run will apply it.
    :param others: HTTPRoutes and Ingresses of all namespaces that we may list.
    """
    mine = _identity(route)
    path = _paths(route)[0]
    found = []
    for other in others:
        # A route of our name is the live route, or the service's former route of the other kind.
        if _identity(other) == mine and (other["kind"] == route["kind"] or label.is_ours(other)):
            continue
        if not _meet(route, other):
            continue
        for taken in _paths(other):
            if taken == path or taken.startswith(path + "/"):
                found.append(Claim(_owner(other), taken, whole=taken == path))
    return found


def same_claim(one: Json, other: Json) -> bool:
    """Whether two states of a route have the same paths, hosts and gateway."""
    return (
        _paths(one) == _paths(other)
        and parents(one) == parents(other)
        and _ingress_hosts(one) == _ingress_hosts(other)
        and all(
            one["spec"].get(key) == other["spec"].get(key)
            for key in ("hostnames", "ingressClassName")
        )
    )


def _identity(an_object: Json) -> tuple[str, str]:
    metadata = an_object["metadata"]
    return metadata["namespace"], metadata["name"]


def _owner(an_object: Json) -> str:
    namespace, name = _identity(an_object)
    labels = an_object["metadata"].get("labels") or {}
    by = f" of service {labels[label.INSTANCE]}" if labels.get(label.INSTANCE) else ""
    return f"{an_object['kind']} {namespace}/{name}{by}"


def _meet(mine: Json, other: Json) -> bool:
    """Whether one request can match both: a common host, and the same listener or class."""
    names = _hosts(mine), _hosts(other)
    if mine["kind"] != other["kind"]:
        # The controllers may listen on different addresses, so only a common host name counts.
        return all(names) and _hosts_meet(*names, covers_one_label)
    if mine["kind"] == "Ingress":
        # Any controller may serve an Ingress without a class.
        same_class = _class(other) in (None, _class(mine))
        return same_class and _hosts_meet(*names, covers_one_label)
    share_listener = any(
        _share_listener(one, two) for one in parents(mine) for two in parents(other)
    )
    return share_listener and _hosts_meet(*names, covers)


def _share_listener(one: Parent, other: Parent) -> bool:
    """Whether two parents can be the same listener of a Gateway.

    A route without section and port attaches to all listeners. The port of a section is not known
    here. Two listeners can share a port; the more specific host name then gets the request.

    :source: gateway.networking.k8s.io/v1 ParentReference and Gateway ``spec.listeners``.
    """
    return (
        one.gateway == other.gateway
        and (one.section == other.section or not one.section or not other.section)
        and (one.port == other.port or not one.port or not other.port)
    )


def _class(ingress: Json) -> str | None:
    given = ingress["spec"].get("ingressClassName") or annotation.read_annotations(ingress).get(
        _INGRESS_CLASS
    )
    return str(given) if given else None


def _hosts(route: Json) -> list[str]:
    if route["kind"] == "Ingress":
        return _ingress_hosts(route)
    return route["spec"].get("hostnames") or []


def _ingress_hosts(ingress: Json) -> list[str]:
    rules = ingress["spec"].get("rules") or []
    names = [rule.get("host") for rule in rules]
    return [] if not all(names) else [str(name) for name in names]


def _hosts_meet(some: list[str], others: list[str], covers: Callable[[str, str], bool]) -> bool:
    """Whether two lists have a host in common. An empty list means every host."""
    if not some or not others:
        return True
    return any(covers(one, two) or covers(two, one) for one in some for two in others)


def _paths(route: Json) -> list[str]:
    """Paths that a route serves, without a trailing slash and without our regex suffix."""
    found = []
    for rule in route["spec"].get("rules") or []:
        for match in rule.get("matches") or []:
            found.append((match.get("path") or {}).get("value") or "/")
        for item in (rule.get("http") or {}).get("paths") or []:
            found.append(item.get("path") or "/")
    return [path.removesuffix("(/|$)(.*)").rstrip("/") or "/" for path in found]
