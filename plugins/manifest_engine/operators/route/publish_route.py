"""Step ``publish_route``: the service becomes public, and its URL is called for real."""

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
from manifest_engine.domain.lease import superseded
from manifest_engine.domain.release import annotations as annotation
from manifest_engine.domain.release import release as releases
from manifest_engine.domain.route import routes
from manifest_engine.operators.core.lease_step import LeaseStep

if TYPE_CHECKING:
    from airflow.sdk import Context

    from manifest_engine.domain.release.release import Release
    from manifest_engine.services.lease.service_lease import ServiceLease
    from manifest_engine.services.route.change import RouteChange
    from manifest_engine.services.workload.workload import Workload

SETTLE_SECONDS = 3.0
"""How long a gateway may serve a route that is gone."""

Json = dict[str, Any]


class PublishRoute(LeaseStep):
    """Refuse a path that others own, apply the route, wait until it is accepted, call the URL.

    A failure that no retry can mend puts route and workload back as they were before the run. So
    does a wrong answer of the public URL where an earlier release could answer instead: its users
    must not wait for retries.

    XCom: ``url``, ``status``, ``seconds``.

    :param release: what ``validate`` planned.
    """

    template_fields: Sequence[str] = ("release",)

    def __init__(self, *, release: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.release = release

    def run(self, context: Context) -> dict[str, Any]:
        """Publish and verify.

        :raises RouteConflict: naming who owns the path, or what the public URL answers instead,
            and what was put back.
        :raises StateError: when another run has the lease, or has taken it meanwhile.
        """
        release = releases.load(self.release)
        workload, lease = self.service(release)
        if holder := lease.acquire():
            raise StateError(
                f"The route is left alone: another deployment of {release.name} goes on ({holder})."
            )
        last_try = context["ti"].try_number > context["ti"].max_tries
        try:
            superseded.refuse(release, workload.live())
            change = _Publication(release, workload, lease, self.log)
            return change.run(last_try=last_try)
        finally:
            lease.release()


class _Publication:
    """One try to publish a release, and to take it back."""

    def __init__(
        self, release: Release, workload: Workload, lease: ServiceLease, log: logging.Logger
    ) -> None:
        self._release = release
        self._workload = workload
        self._hook = workload.hook
        self._lease = lease
        self._log = log
        self._wanted = routes.route(release)
        self._change: RouteChange | None = None

    def run(self, *, last_try: bool) -> dict[str, Any]:
        """Publish and verify. Raises as :meth:`PublishRoute.run`."""
        begin = time.monotonic()
        try:
            status = self._publish()
        except StateError:
            raise  # all that is live may be another run's
        except Cancelled as error:
            raise Cancelled(f"{error} {self._put_back(settle_seconds=0)}".rstrip()) from error
        except ManifestEngineError as error:
            if error.retryable and not last_try and not self._hurts(error):
                raise
            raise type(error)(f"{error} {self._put_back()}".rstrip(), retryable=False) from error
        except Exception:
            if last_try:
                self._log.error("%s", self._put_back())
            raise
        return {
            "url": self._release.url,
            "status": status,
            "seconds": round(time.monotonic() - begin, 3),
        }

    def _publish(self) -> int:
        from manifest_engine.services.route.change import RouteChange
        from manifest_engine.services.route.check import await_answer
        from manifest_engine.services.route.claims import refuse_taken

        release, hook, log = self._release, self._hook, self._log
        force = release.environment.cluster.force_conflicts
        live = refuse_taken(hook, self._wanted, release.route_path, log)
        change = self._change = RouteChange(hook, self._wanted, live, force=force, log=log)
        applied = change.begin()
        if self._wanted["kind"] == "HTTPRoute":
            self._await_acceptance(applied, is_new=not live)
        status = await_answer(hook, release, log, self._lease.renew)
        if change.switch():
            # Until now the former route may have answered in the new one's place.
            time.sleep(SETTLE_SECONDS)
            await_answer(hook, release, log, self._lease.renew)
        change.finish()
        return status

    def _hurts(self, error: ManifestEngineError) -> bool:
        """Whether users get wrong answers where an earlier release would give right ones."""
        earlier = annotation.FIRST not in annotation.read_annotations(self._workload.live())
        return earlier and isinstance(error, UnexpectedAnswer)

    def _put_back(self, **how: float) -> str:
        """Route first, then workload; what was done, as a sentence.

        A problem is told beside the error that led here, not in its place.
        """
        try:
            self._lease.hold()
        except ManifestEngineError as problem:
            return f"Nothing was put back: {problem}"
        parts: dict[str, Callable[[], str]] = {}
        if self._change:
            parts["route"] = self._change.give_up
        parts["workload"] = partial(self._workload.take_back, self._release.run_id, **how)
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
            # Two services asked for the path at once. Left there, this one's route would take
            # over silently on the day when the other one's goes.
            lease.hold()
            if self._change:
                self._change.give_up()
            # Says who was quicker.
            route_claims.refuse_taken(hook, self._wanted, release.route_path, self._log)
            raise
