"""Refuses a route whose path another object in the cluster owns."""

from __future__ import annotations

import logging

from manifest_engine.domain.core.errors import ClusterError, RouteConflict
from manifest_engine.domain.release import labels as label
from manifest_engine.domain.route import owners as route_owners
from manifest_engine.domain.route import switch as route_switch
from manifest_engine.domain.workload import resources
from manifest_engine.hooks.kubernetes.api_server import Json
from manifest_engine.hooks.kubernetes.cluster import ClusterHook


def refuse_taken(hook: ClusterHook, desired: Json, path: str, log: logging.Logger) -> Json | None:
    """Compare a route with all routes in the cluster; returns the live route of its name and kind.

    :param desired: the HTTPRoute or Ingress to be applied.
    :param path: public path of the route.
    :raises RouteConflict: naming the owner of the path.
    """
    api_version, kind, name = resources.key(desired)
    namespace = desired["metadata"]["namespace"]
    live = hook.get(api_version, kind, name, namespace)
    if live is not None and label.is_ours(live) and route_owners.same_claim(live, desired):
        return live  # the path was checked when the route was created
    if live is not None and not label.is_ours(live):
        raise RouteConflict(
            f"{kind} {namespace}/{name} exists already and was not made by a release; "
            "remove or rename it."
        )
    others = [*_others(hook, desired, log), *_others_of_other_kind(hook, desired, log)]
    for claim in route_owners.claims(desired, others):
        if claim.whole:
            raise RouteConflict(
                f"The path {path} is owned by {claim.owner} already; remove it "
                "there, or give this service another component or name."
            )
        log.warning("%s serves %s, below this service's path", claim.owner, claim.path)
    return live


def _others(hook: ClusterHook, desired: Json, log: logging.Logger) -> list[Json]:
    try:
        return hook.find(desired["apiVersion"], desired["kind"], None)
    except ClusterError as error:
        if error.retryable:
            raise
        namespace = desired["metadata"]["namespace"]
        log.info("Only the routes of %s can be checked: %s", namespace, error)
        return hook.find(desired["apiVersion"], desired["kind"], namespace)


def _others_of_other_kind(hook: ClusterHook, desired: Json, log: logging.Logger) -> list[Json]:
    """Routes of the other kind; empty if the cluster lacks the kind or the role may not list it."""
    api_version, kind = route_switch.OTHER[desired["kind"]]
    try:
        return hook.find(api_version, kind, None)
    except ClusterError as error:
        if error.retryable:
            raise
        log.info("No %s can be checked: %s", kind, error)
        return []
