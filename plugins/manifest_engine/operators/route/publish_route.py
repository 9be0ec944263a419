"""Step ``publish_route``: makes the service public and calls the URL, or calls an internal pod."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from manifest_engine.domain.core.errors import (
    Cancelled,
    ManifestEngineError,
    RouteConflict,
    StateError,
    UnexpectedAnswer,
)
from manifest_engine.domain.drift.drift import Policy
from manifest_engine.domain.lease import superseded
from manifest_engine.domain.release import annotations as annotation
from manifest_engine.domain.release import history
from manifest_engine.domain.release import release as releases
from manifest_engine.domain.route import routes
from manifest_engine.operators.core.lease_step import LeaseStep, released_on_failure

if TYPE_CHECKING:
    from airflow.sdk import Context

    from manifest_engine.domain.release.release import Release
    from manifest_engine.services.lease.service_lease import ServiceLease
    from manifest_engine.services.route.change import RouteChange
    from manifest_engine.services.workload.workload import Workload

SETTLE_SECONDS = 3.0
"""How long a gateway may serve a removed route."""

Json = dict[str, Any]


class PublishRoute(LeaseStep):
    """Refuse a path that another object owns, apply the route, wait for acceptance, call the URL.

    An internal service gets no route; the step calls a new pod instead. ``watch_release`` removes
    the route of a former public release, because a rollback can need the route until then.

    A final failure restores the former route and workload. If an earlier release exists, a wrong
    answer of the public URL is final at once, because users get wrong answers until the rollback.

    XCom: ``url``, ``status`` (null if only the kubelet checks the service), ``seconds``, and
    ``warnings``, sentences on links of the service that leave the route.

    :param release: XCom of ``validate``.
    """

    template_fields: Sequence[str] = ("release",)

    def __init__(self, *, release: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.release = release

    def run(self, context: Context) -> dict[str, Any]:
        """Publish and verify.

        :raises RouteConflict: naming the owner of the path or the wrong answer, and what was
            restored.
        :raises StateError: when another run holds the lease, or acquires the lease meanwhile.
        """
        release = releases.load(self.release)
        workload, lease = self.service(release)
        if holder := lease.acquire():
            raise StateError(
                f"The route is not changed, because another run deploys {release.name} ({holder})."
            )
        last_try = context["ti"].try_number > context["ti"].max_tries
        with released_on_failure(lease):  # watch_release goes on under the lease
            superseded.refuse(release, workload.live(), lease.removal)
            change = _Publication(release, workload, lease, self.log)
            return change.run(last_try=last_try)


class _Publication:
    """One attempt to publish a release, with its rollback."""

    def __init__(
        self, release: Release, workload: Workload, lease: ServiceLease, log: logging.Logger
    ) -> None:
        self._release = release
        self._workload = workload
        self._hook = workload.hook
        self._lease = lease
        self._log = log
        self._desired = routes.route(release)
        self._change: RouteChange | None = None

    def run(self, *, last_try: bool) -> dict[str, Any]:
        """As :meth:`PublishRoute.run`."""
        from manifest_engine.services.route.check import find_warnings

        begin = time.monotonic()
        internal = self._release.manifest.internal
        try:
            status = self._check_inside() if internal else self._publish()
        except StateError:
            raise  # the live objects may belong to another run
        except Cancelled as error:
            raise Cancelled(f"{error} {self._put_back(settle_seconds=0)}".rstrip()) from error
        except ManifestEngineError as error:
            if error.retryable and not last_try and not self._breaks_live_service(error):
                raise
            error.args = (f"{error} {self._put_back()}".rstrip(),)
            error.outcome = "rolled back"
            error.retryable = False
            raise
        except Exception:
            if last_try:
                self._log.error("%s", self._put_back())
            raise
        return {
            "url": self._release.url,
            "status": status,
            "seconds": round(time.monotonic() - begin, 3),
            "warnings": [] if internal else find_warnings(self._release, self._log),
        }

    def _check_inside(self) -> int | None:
        from manifest_engine.services.route.inside_check import await_answer

        return await_answer(self._workload, self._release, self._log, self._lease.renew)

    def _publish(self) -> int:
        from manifest_engine.services.route.change import RouteChange
        from manifest_engine.services.route.check import await_answer
        from manifest_engine.services.route.claims import refuse_taken

        release, hook, log = self._release, self._hook, self._log
        live = refuse_taken(hook, self._desired, release.route_path, log)
        policy = Policy.of(release)
        change = self._change = RouteChange(hook, self._desired, live, policy=policy, log=log)
        if change.is_needed and (live is not None or self._has_earlier_release()):
            self._await_rollout()
        applied = change.begin()
        if self._desired["kind"] == "HTTPRoute":
            self._await_acceptance(applied, is_new=not live)
        status = await_answer(hook, release, log, self._lease.renew)
        if change.switch():
            # The former route may have sent the first answer.
            time.sleep(SETTLE_SECONDS)
            await_answer(hook, release, log, self._lease.renew)
        change.finish()
        return status

    def _await_rollout(self) -> None:
        """Wait until the old pods are gone: the new route may not fit them, and pods of an internal
        release must not become public."""
        from manifest_engine.services.workload import failed_rollout

        live = self._workload.live()
        if live is None:
            return  # the public URL will not answer
        failed_rollout.require_complete(
            self._workload,
            self._release,
            generation=live["metadata"]["generation"],
            release_hash=annotation.read_annotations(live).get(annotation.RELEASE_HASH),
            stood=history.is_complete(live),
        )

    def _breaks_live_service(self, error: ManifestEngineError) -> bool:
        """Whether users of an earlier release get wrong answers."""
        return isinstance(error, UnexpectedAnswer) and self._has_earlier_release()

    def _has_earlier_release(self) -> bool:
        return annotation.FIRST not in annotation.read_annotations(self._workload.live())

    def _put_back(self, **how: float) -> str:
        """Restore the route, then the workload; returns a sentence for the user.

        A problem is returned, not raised, so that it does not hide the first error.
        """
        try:
            self._lease.hold()
        except ManifestEngineError as problem:
            return f"Nothing was put back: {problem}"
        parts: dict[str, Callable[[], str]] = {}
        if self._change:
            parts["route"] = self._change.give_up
        parts["workload"] = partial(self._workload.roll_back_run, self._release.run_id, **how)
        done = []
        for part, put_back in parts.items():
            try:
                done.append(put_back())
            except ManifestEngineError as problem:
                done.append(f"The {part} could not be put back: {problem}")
        return " ".join(filter(None, done))

    def _await_acceptance(self, applied: Json, *, is_new: bool) -> None:
        from manifest_engine.services.route import acceptance as route_acceptance
        from manifest_engine.services.route import claims as route_claims

        release, hook, lease = self._release, self._hook, self._lease
        try:
            route_acceptance.await_acceptance(hook, applied, release, lease.renew)
        except RouteConflict as error:
            if error.retryable or not is_new:
                raise
            # Two services requested the path at once. If this route stayed, it would take over
            # silently when the other route is removed.
            lease.hold()
            if self._change:
                self._change.give_up()
            # Raises an error that names the owner.
            route_claims.refuse_taken(hook, self._desired, release.route_path, self._log)
            raise
