"""Refuses a route whose path another object of the cluster owns."""

from __future__ import annotations

import logging

from manifest_engine.domain.core.errors import ClusterError, RouteConflict
from manifest_engine.domain.release import labels as label
from manifest_engine.domain.route import owners as route_owners
from manifest_engine.domain.route import switch as route_switch
from manifest_engine.domain.workload import resources
from manifest_engine.hooks.kubernetes.api_server import Json
from manifest_engine.hooks.kubernetes.cluster import ClusterHook


def refuse_taken(hook: ClusterHook, wanted: Json, path: str, log: logging.Logger) -> Json | None:
    """Compare a route with those that are there; the live one of its own name and kind, if any.

    :param wanted: our HTTPRoute or Ingress, as it will be applied.
    :param path: its public path.
    :raises RouteConflict: naming the owner.
    """
    api_version, kind, name = resources.key(wanted)
    namespace = wanted["metadata"]["namespace"]
    live = hook.get(api_version, kind, name, namespace)
    if live is not None and label.is_ours(live) and route_owners.same_claim(live, wanted):
        return live  # it was checked when it was made
    if live is not None and not label.is_ours(live):
        raise RouteConflict(
            f"{kind} {namespace}/{name} exists already and was not made by a release; "
            "remove or rename it."
        )
    others = [*_others(hook, wanted, log), *_others_of_other_kind(hook, wanted, log)]
    for claim in route_owners.claims(wanted, others):
        if claim.whole:
            raise RouteConflict(
                f"The path {path} is owned by {claim.owner} already; remove it "
                "there, or give this service another component or name."
            )
        log.warning("%s serves %s, below this service's path", claim.owner, claim.path)
    return live


def _others(hook: ClusterHook, wanted: Json, log: logging.Logger) -> list[Json]:
    try:
        return hook.find(wanted["apiVersion"], wanted["kind"], None)
    except ClusterError as error:
        if error.retryable:
            raise
        namespace = wanted["metadata"]["namespace"]
        log.info("Only the routes of %s can be checked: %s", namespace, error)
        return hook.find(wanted["apiVersion"], wanted["kind"], namespace)


def _others_of_other_kind(hook: ClusterHook, wanted: Json, log: logging.Logger) -> list[Json]:
    """Of all namespaces; none where the cluster does not have the kind, or nobody may see it."""
    api_version, kind = route_switch.OTHER[wanted["kind"]]
    try:
        return hook.find(api_version, kind, None)
    except ClusterError as error:
        if error.retryable:
            raise
        log.info("No %s can be checked: %s", kind, error)
        return []
