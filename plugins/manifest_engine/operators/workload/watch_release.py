"""Step ``watch_release``: rolls back a release that crashes after its pods became ready."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from manifest_engine.domain.core.errors import Cancelled, RolloutFailed
from manifest_engine.domain.release import annotations as annotation
from manifest_engine.domain.release import release as releases
from manifest_engine.domain.route import routes
from manifest_engine.operators.core.lease_step import LeaseStep

if TYPE_CHECKING:
    from airflow.sdk import Context

    from manifest_engine.domain.release.release import Release
    from manifest_engine.services.workload.workload import Workload


class WatchRelease(LeaseStep):
    """Watch the new pods until they have been ready for ``minReadySeconds`` and the old are gone.

    New and old pods serve users during the watch, so no request fails when a crash rolls the
    release back. At the end, the step removes the route of a service that has become internal.

    XCom: ``replicas``.

    :param release: XCom of ``validate``.
    :param deployment: XCom of ``apply_deployment``.
    """

    template_fields: Sequence[str] = ("release", "deployment")

    def __init__(self, *, release: Any, deployment: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.release = release
        self.deployment = deployment

    def run(self, context: Context) -> dict[str, Any]:
        """Watch the pods.

        :raises RolloutFailed: after the rollback, with the reason: a crash, or pods that are no
            longer ready.
        :raises StateError: when another run holds the lease, or another release is live; nothing is
            rolled back then.
        """
        from manifest_engine.services.route.withdrawal import remove_routes
        from manifest_engine.services.workload import failed_rollout

        release, begun = releases.load(self.release), self.deployment
        workload, lease = self.service(release)
        lease.hold()
        if not begun.get("stood"):  # earlier pods may have crashed for other reasons
            workload.rollout.restarts = begun.get("restarts")
        try:
            with (
                _route_as_before(workload, release),
                failed_rollout.roll_back_when_cancelled(workload, release.run_id),
            ):
                done = failed_rollout.require_complete(
                    workload,
                    release,
                    generation=begun["generation"],
                    release_hash=begun.get("releaseHash"),
                    stood=begun.get("stood", False),
                )
                self.log.info(
                    "%s: %s pods stay up; no old pod is left", release.name, done.replicas
                )
                if release.manifest.internal:
                    remove_routes(workload, routes.route(release))
                return {"replicas": done.replicas}
        finally:
            lease.release()


@contextmanager
def _route_as_before(workload: Workload, release: Release) -> Iterator[None]:
    """Remove the route of a failed release, unless a public release is live after the rollback."""
    try:
        yield
    except (Cancelled, RolloutFailed):
        live = workload.live()
        published = not release.manifest.internal
        if live is None or (published and annotation.is_internal(live)):
            workload.remove([routes.route(release)])
        raise
