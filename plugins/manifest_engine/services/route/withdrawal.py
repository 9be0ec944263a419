"""Removes the route of an internal service, a removed service or a failed release."""

from __future__ import annotations

from typing import TYPE_CHECKING

from manifest_engine.domain.core.errors import ClusterError
from manifest_engine.domain.route import switch as route_switch
from manifest_engine.domain.workload import resources

if TYPE_CHECKING:
    from manifest_engine.hooks.kubernetes.api_server import Json
    from manifest_engine.services.workload.workload import Workload


def remove_routes(workload: Workload, route: Json) -> list[str]:
    """Remove the service's HTTPRoute and Ingress, and return the removed objects.

    :param route: the route of either kind; only its kind, name and namespace are used.
    """
    removed = workload.remove([route])
    api_version, kind = route_switch.OTHER[resources.key(route)[1]]
    other = route | {"apiVersion": api_version, "kind": kind}
    try:
        removed += workload.remove([other])
    except ClusterError as error:
        if error.retryable:
            raise
        # The cluster lacks the kind, or the role forbids it, so no such route can exist.
        workload.log.debug("No route of the other kind: %s", error)
    return removed
