"""Who owns a public path: our route must not take one that another object serves already."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from manifest_engine.domain import marks
from manifest_engine.domain.environments import Gateway

Json = Mapping[str, Any]


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
    :param others: objects of the same kind, of all namespaces that can be seen.
    """
    mine = _identity(route)
    path = _paths(route)[0]
    found = []
    for other in others:
        if _identity(other) == mine or not _meet(route, other):
            continue
        for taken in _paths(other):
            if taken == path or taken.startswith(path + "/"):
                found.append(Claim(_owner(other), taken, whole=taken == path))
    return found


def same_claim(one: Json, other: Json) -> bool:
    """Whether two states of a route ask for the same paths, hosts and gateway."""
    return (
        _paths(one) == _paths(other)
        and _parents(one) == _parents(other)
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
    by = f" of service {labels[marks.INSTANCE]}" if labels.get(marks.INSTANCE) else ""
    return f"{an_object['kind']} {namespace}/{name}{by}"


def _meet(mine: Json, other: Json) -> bool:
    """Whether a request can reach both: same gateway or class, and a host in common."""
    if mine["kind"] == "Ingress":
        same = mine["spec"].get("ingressClassName") == other["spec"].get("ingressClassName")
        return same and _hosts_meet(_ingress_hosts(mine), _ingress_hosts(other))
    if not _parents(mine) & _parents(other):
        return False
    return _hosts_meet(mine["spec"].get("hostnames") or [], other["spec"].get("hostnames") or [])


def _parents(route: Json) -> set[tuple[str, str]]:
    namespace = route["metadata"]["namespace"]
    return {
        (parent.get("namespace") or namespace, parent["name"])
        for parent in route["spec"].get("parentRefs") or []
    }


def _ingress_hosts(ingress: Json) -> list[str]:
    rules = ingress["spec"].get("rules") or []
    hosts = [rule.get("host") for rule in rules]
    return [] if not all(hosts) else [str(host) for host in hosts]


def _hosts_meet(some: list[str], others: list[str]) -> bool:
    """Hosts as in Gateway API: none means every host, ``*.`` one or more labels."""
    if not some or not others:
        return True
    return any(_covers(one, two) or _covers(two, one) for one in some for two in others)


def _covers(pattern: str, host: str) -> bool:
    if pattern.startswith("*."):
        return host.endswith(pattern[1:])
    return pattern == host


def _paths(route: Json) -> list[str]:
    """Paths that a route serves, without a slash at the end and without our regex's tail."""
    found = []
    for rule in route["spec"].get("rules") or []:
        for match in rule.get("matches") or []:
            found.append((match.get("path") or {}).get("value") or "/")
        for item in (rule.get("http") or {}).get("paths") or []:
            found.append(item.get("path") or "/")
    return [path.removesuffix("(/|$)(.*)").rstrip("/") or "/" for path in found]


@dataclass(frozen=True)
class Acceptance:
    """What the gateway says about a route."""

    accepted: bool
    problem: str = ""
    """Why not, or what is still missing."""


def acceptance(route: Json, gateway: Gateway) -> Acceptance:
    """Judge an HTTPRoute's status: Accepted and ResolvedRefs, for its present generation."""
    generation = route["metadata"].get("generation", 0)
    problem = f"the gateway {gateway.namespace}/{gateway.name} has not answered"
    for parent in (route.get("status") or {}).get("parents") or []:
        reference = parent.get("parentRef") or {}
        if reference.get("name") != gateway.name:
            continue
        conditions = {
            condition["type"]: condition
            for condition in parent.get("conditions") or []
            if condition.get("observedGeneration", generation) >= generation
        }
        missing = [kind for kind in ("Accepted", "ResolvedRefs") if kind not in conditions]
        refused = [item for item in conditions.values() if item["status"] == "False"]
        if refused:
            first = refused[0]
            problem = f"{first['type']} is false, {first.get('reason')}: {first.get('message')}"
        elif not missing:
            return Acceptance(True)
    return Acceptance(False, problem)
