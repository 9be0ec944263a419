"""Waits until the Gateway accepts a route, and explains why it does not."""

from __future__ import annotations

import time
from collections.abc import Callable
from urllib.parse import urlsplit

from manifest_engine.domain.core.errors import ClusterError, RouteConflict
from manifest_engine.domain.environment.environment import Gateway
from manifest_engine.domain.release.release import Release
from manifest_engine.domain.route import status as route_status
from manifest_engine.hooks.kubernetes.api_server import Json
from manifest_engine.hooks.kubernetes.cluster import ClusterHook

ACCEPT_SECONDS = 60.0
LOOK_SECONDS = 15.0
REFUSED_SECONDS = 10.0
"""How long a refusal is not final, because the Gateway may not have seen the new Service yet."""


def await_acceptance(
    hook: ClusterHook, applied: Json, release: Release, on_look: Callable[[], None]
) -> None:
    """Watch an HTTPRoute until its Gateway accepts it.

    :param applied: the route in the answer of the API server.
    :param on_look: called at least every ``LOOK_SECONDS``; an exception ends the wait.
    :raises RouteConflict: with the reason that the Gateway reports, and the Gateway's own problem.
    """
    gateway = _gateway(release)
    metadata = applied["metadata"]
    where = applied["apiVersion"], applied["kind"], metadata["name"], metadata["namespace"]
    seen = route_status.acceptance(applied, gateway)
    begin = time.monotonic()
    while not seen.accepted:
        patience = min(REFUSED_SECONDS, ACCEPT_SECONDS) if seen.refused else ACCEPT_SECONDS
        remaining = begin + patience - time.monotonic()
        if remaining <= 0:
            break
        on_look()
        for event, route in hook.watch(*where, seconds=min(remaining, LOOK_SECONDS)):
            if event == "DELETED":
                raise RouteConflict(
                    f"HTTPRoute {release.name} was deleted during the deployment.", retryable=True
                )
            before, seen = seen, route_status.acceptance(route, gateway)
            if seen.accepted or seen.refused != before.refused:
                break
    if not seen.accepted:
        problem = diagnosis(hook, release)
        raise RouteConflict(
            f"The gateway does not accept the route {release.route_path}: "
            f"{'; '.join(part for part in (seen.problem, problem) if part)}. "
            "The service runs, but is not public.",
            retryable=not (seen.refused or problem),
        )


def diagnosis(hook: ClusterHook, release: Release) -> str:
    """The problem of the environment's Gateway; empty without a problem or without read access."""
    routing, namespace = release.environment.routing, release.environment.cluster.namespace
    if routing.api != "gateway":
        return ""
    gateway = _gateway(release)
    kind = "gateway.networking.k8s.io/v1", "Gateway"
    try:
        found = hook.get(*kind, gateway.name, gateway.namespace)
    except ClusterError as error:
        hook.log.info("The Gateway cannot be read: %s", error)
        return ""
    host = routing.host or urlsplit(routing.url).hostname or ""
    return route_status.diagnosis(found, gateway, host, namespace)


def _gateway(release: Release) -> Gateway:
    gateway = release.environment.routing.gateway
    assert gateway is not None  # noqa: S101  (environments.yaml requires it)
    return gateway
