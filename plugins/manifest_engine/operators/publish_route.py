"""Step ``publish_route``: the service becomes public, and its URL is called for real."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from manifest_engine.domain import release as releases
from manifest_engine.domain import routes, superseded
from manifest_engine.domain.errors import Cancelled, RouteConflict, StateError
from manifest_engine.operators.lease_step import LeaseStep

if TYPE_CHECKING:
    from airflow.sdk import Context

    from manifest_engine.domain.release import Release
    from manifest_engine.hooks.cluster import ClusterHook
    from manifest_engine.hooks.route_change import RouteChange
    from manifest_engine.hooks.service_lease import ServiceLease

SETTLE_SECONDS = 3.0
"""How long a gateway may serve a route that is gone."""

Json = dict[str, Any]


class PublishRoute(LeaseStep):
    """Refuse a path that others own, apply the route, wait until it is accepted, call the URL.

    XCom: ``url``, ``status``, ``seconds``.

    :param release: what ``validate`` planned.
    """

    template_fields: Sequence[str] = ("release",)

    def __init__(self, *, release: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.release = release

    def run(self, context: Context) -> dict[str, Any]:
        """Publish and verify.

        :raises RouteConflict: naming who owns the path, or what the public URL answers instead.
        :raises StateError: when another run has the lease, or has taken it meanwhile.
        """
        release = releases.load(self.release)
        workload, lease = self.service(release)
        if holder := lease.take():
            raise StateError(
                f"The route is left alone: another deployment of {release.name} goes on ({holder})."
            )
        try:
            return self._publish(workload.hook, release, lease)
        finally:
            lease.give_back()

    def _publish(self, hook: ClusterHook, release: Release, lease: ServiceLease) -> dict[str, Any]:
        from manifest_engine.hooks.route_change import RouteChange
        from manifest_engine.hooks.route_claims import refuse_taken
        from manifest_engine.operators.route_check import await_answer

        begin = time.monotonic()
        cluster = release.environment.cluster
        superseded.refuse(
            release, hook.get("apps/v1", "Deployment", release.name, cluster.namespace)
        )
        wanted = routes.route(release)
        live = refuse_taken(hook, wanted, release.route_path, self.log)
        change = RouteChange(hook, wanted, live, force=cluster.force_conflicts, log=self.log)
        applied = change.begin()
        try:
            if wanted["kind"] == "HTTPRoute":
                self._await_acceptance(hook, release, applied, lease, is_new=not live)
            status = await_answer(hook, release, self.log, lease.renew)
            if change.finish():
                # Until now the former route may have answered in the new one's place.
                time.sleep(SETTLE_SECONDS)
                await_answer(hook, release, self.log, lease.renew)
        except (Cancelled, StateError):
            raise  # ended where it is, or another run's
        except Exception:
            self._give_up(change, lease)
            raise
        return {
            "url": release.url,
            "status": status,
            "seconds": round(time.monotonic() - begin, 3),
        }

    def _give_up(self, change: RouteChange, lease: ServiceLease) -> None:
        """What stands in the way of it is logged; the error that led here is what is told."""
        try:
            lease.hold()
            change.give_up()
        except Cancelled:
            raise
        except Exception as problem:
            self.log.exception("The former route could not be put back: %s", problem)

    def _await_acceptance(
        self,
        hook: ClusterHook,
        release: Release,
        applied: Json,
        lease: ServiceLease,
        *,
        is_new: bool,
    ) -> None:
        from manifest_engine.hooks import route_acceptance, route_claims

        try:
            route_acceptance.await_acceptance(hook, applied, release, lease.renew)
        except RouteConflict as error:
            if error.retryable or not is_new:
                raise
            # Two services asked for the path at once. Left there, this one's route would take
            # over silently on the day when the other one's goes.
            lease.hold()
            hook.delete(
                applied["apiVersion"],
                applied["kind"],
                release.name,
                release.environment.cluster.namespace,
            )
            # Says who was quicker.
            route_claims.refuse_taken(hook, routes.route(release), release.route_path, self.log)
            raise RouteConflict(f"{error} The route is removed again.") from error
