"""Who owns a public path: our route must not take one that another object serves already."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from manifest_engine.domain.release import annotations as annotation
from manifest_engine.domain.release import labels as label
from manifest_engine.domain.route import hosts
from manifest_engine.domain.route.parents import Parent, parents

Json = Mapping[str, Any]

_INGRESS_CLASS = "kubernetes.io/ingress.class"
"""The annotation that came before ``spec.ingressClassName``; controllers still read it."""


@dataclass(frozen=True)
class Claim:
    """An object that serves the path, or a part of it, on the same host."""

    owner: str
    """E.g. ``HTTPRoute billing/quotes of service pricing-quotes``."""
    path: str
    whole: bool
    """The very same path; else one below it."""


def claims(route: Json, others: Iterable[Json]) -> list[Claim]:
    """Claims of other objects on the path of ``route``.

    :param route: our HTTPRoute or Ingress, as it will be applied.
    :param others: HTTPRoutes and Ingresses, of all namespaces that can be seen.
    """
    mine = _identity(route)
    path = _paths(route)[0]
    found = []
    for other in others:
        if _identity(other) == mine and (
            other["kind"] == route["kind"] or label.is_ours(other)  # or the service's former one
        ):
            continue
        if not _meet(route, other):
            continue
        for taken in _paths(other):
            if taken == path or taken.startswith(path + "/"):
                found.append(Claim(_owner(other), taken, whole=taken == path))
    return found


def same_claim(one: Json, other: Json) -> bool:
    """Whether two states of a route ask for the same paths, hosts and gateway."""
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
    """Whether a request can reach both: same listener or class, and a host in common."""
    if mine["kind"] != other["kind"]:
        # Their controllers may listen at two addresses; a host name that both name is one.
        named = _hosts(mine), _hosts(other)
        return all(named) and _hosts_meet(*named, hosts.covers_one_label)
    if mine["kind"] == "Ingress":
        # One without a class is anybody's: which controller takes it is not written in it.
        same = _class(other) in (None, _class(mine))
        return same and _hosts_meet(
            _ingress_hosts(mine), _ingress_hosts(other), hosts.covers_one_label
        )
    if not any(_share_listener(one, two) for one in parents(mine) for two in parents(other)):
        return False
    names = mine["spec"].get("hostnames") or [], other["spec"].get("hostnames") or []
    return _hosts_meet(*names, hosts.covers)


def _share_listener(one: Parent, other: Parent) -> bool:
    """Whether two parents can be one listener of a Gateway.

    Without section and port a route attaches to all of them, and a section's port is not known
    here. Listeners of two names are two, though they may have one port: there the more specific
    host name takes the request.

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
    """None means every host."""
    if not some or not others:
        return True
    return any(covers(one, two) or covers(two, one) for one in some for two in others)


def _paths(route: Json) -> list[str]:
    """Paths that a route serves, without a slash at the end and without our regex's tail."""
    found = []
    for rule in route["spec"].get("rules") or []:
        for match in rule.get("matches") or []:
            found.append((match.get("path") or {}).get("value") or "/")
        for item in (rule.get("http") or {}).get("paths") or []:
            found.append(item.get("path") or "/")
    return [path.removesuffix("(/|$)(.*)").rstrip("/") or "/" for path in found]
