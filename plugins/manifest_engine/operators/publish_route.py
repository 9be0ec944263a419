"""Step ``publish_route``: the service becomes public, and its URL is called for real."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from manifest_engine.domain import release as releases
from manifest_engine.domain import route_owners, routes, superseded
from manifest_engine.domain.errors import RouteConflict, StateError
from manifest_engine.operators.step import StepOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from manifest_engine.domain.release import Release
    from manifest_engine.hooks.cluster import ClusterHook
    from manifest_engine.hooks.public_url import Answer
    from manifest_engine.hooks.service_lease import ServiceLease

ACCEPT_SECONDS = 60.0
ANSWER_SECONDS = 30.0
"""The route works 0.1 s after it is accepted where the gateway is near; a cloud's takes seconds."""
PAUSE_SECONDS = 0.1

Json = dict[str, Any]


class PublishRoute(StepOperator):
    """Refuse a path that others own, apply the route, wait until it is accepted, call the URL.

    XCom: ``url``, ``status``, ``seconds``.

    :param release: what ``validate`` planned.
    """

    template_fields: Sequence[str] = ("release",)

    def __init__(self, *, release: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.release = release
        self._lease: ServiceLease | None = None

    def run(self, context: Context) -> dict[str, Any]:
        """Publish and verify.

        :raises RouteConflict: naming who owns the path, or what the public URL answers instead.
        """
        from manifest_engine.hooks.cluster import ClusterHook
        from manifest_engine.hooks.service_lease import ServiceLease

        release = releases.load(self.release)
        cluster = release.environment.cluster
        hook = ClusterHook(cluster.connection)
        self._lease = ServiceLease(
            hook,
            cluster.namespace,
            release.name,
            run_id=release.run_id,
            requested_by=release.requested_by,
            log=self.log,
        )
        if holder := self._lease.take():
            raise StateError(
                f"The route is left alone: another deployment of {release.name} goes on ({holder})."
            )
        try:
            return self._publish(hook, release)
        finally:
            self._lease.give_back()

    def on_kill(self) -> None:
        """Let others go on."""
        if self._lease is not None:
            self._lease.give_back()

    def _publish(self, hook: ClusterHook, release: Release) -> dict[str, Any]:
        from manifest_engine.hooks.route_claims import refuse_taken

        begin = time.monotonic()
        live = hook.get(
            "apps/v1", "Deployment", release.name, release.environment.cluster.namespace
        )
        superseded.refuse(release, live)
        wanted = routes.route(release)
        existed = refuse_taken(hook, wanted, release.route_path, self.log)
        applied = hook.apply(wanted, force=release.environment.cluster.force_conflicts)
        self.log.info("%s %s is applied", wanted["kind"], release.name)
        if wanted["kind"] == "HTTPRoute":
            try:
                self._await_acceptance(hook, release, applied)
            except RouteConflict as error:
                if existed or error.retryable:
                    raise
                # Two services asked for the path at once. Left there, this one's route would take
                # over silently on the day when the other one's goes.
                hook.delete(
                    applied["apiVersion"], applied["kind"], release.name, _namespace(applied)
                )
                refuse_taken(hook, wanted, release.route_path, self.log)  # says who was quicker
                raise RouteConflict(f"{error} The route is removed again.") from error
        status = self._call(release)
        return {
            "url": release.url,
            "status": status,
            "seconds": round(time.monotonic() - begin, 3),
        }

    def _await_acceptance(self, hook: ClusterHook, release: Release, applied: Json) -> None:
        gateway = release.environment.routing.gateway
        assert gateway is not None  # noqa: S101  (environments.yaml is checked for it)
        seen = route_owners.acceptance(applied, gateway)
        end = time.monotonic() + ACCEPT_SECONDS
        while not seen.accepted and (left := end - time.monotonic()) > 0:
            where = applied["apiVersion"], applied["kind"], release.name, _namespace(applied)
            for kind, route in hook.watch(*where, seconds=left):
                if kind == "DELETED":
                    raise RouteConflict(
                        f"HTTPRoute {release.name} was deleted by somebody meanwhile.",
                        retryable=True,
                    )
                seen = route_owners.acceptance(route, gateway)
                if seen.accepted:
                    break
        if not seen.accepted:
            raise RouteConflict(
                f"The gateway does not accept the route {release.route_path}: {seen.problem}. "
                "The service runs, but is not public.",
                retryable="has not answered" in seen.problem,
            )

    def _call(self, release: Release) -> int:
        """Call the public URL until it answers as the smoke test did.

        Old pods may still answer for about a second, and the gateway may not know the route yet.
        """
        from manifest_engine.hooks import public_url

        url, strict = _public_url(release)
        end = time.monotonic() + ANSWER_SECONDS
        while True:
            answer = public_url.get(url)
            problem = _judge(release, answer, strict=strict)
            if not problem or time.monotonic() > end:
                break
            time.sleep(PAUSE_SECONDS)
        if problem:
            if answer.status == 404 and public_url.is_gateways_own(url, answer):
                problem = (
                    "the gateway answers 404 itself: it has no route for this path on this host; "
                    "compare routing.url and routing.host in environments.yaml with the Gateway's "
                    "listeners"
                )
            elif answer.status == 404:
                problem = (
                    "the service itself answers 404: it is reached, but does not know the path; "
                    "see route.stripPrefix"
                )
            raise RouteConflict(
                f"The public URL {url} does not answer as it should: {problem}.",
                retryable=answer.status is None or answer.status >= 500,
            )
        self.log.info("%s answers %s", url, answer.status)
        return int(answer.status or 0)


def _namespace(an_object: Json) -> str:
    return str(an_object["metadata"]["namespace"])


def _public_url(release: Release) -> tuple[str, bool]:
    """The URL to call, and whether the smoke test's expectations hold there."""
    path = release.manifest.smoke_path
    if release.manifest.route.strip_prefix:
        return release.url + path, True
    if path == release.route_path or path.startswith(release.route_path + "/"):
        return release.environment.routing.url + path, True
    # The service sees the whole path and its health path is not below it: any answer will do.
    return release.url, False


def _judge(release: Release, answer: Answer, *, strict: bool) -> str:
    """What is wrong with the answer, empty if nothing."""
    wanted = release.manifest.smoke_test
    if answer.status is None:
        return f"no answer ({answer.problem})"
    if not strict:
        return "" if answer.status < 500 and answer.status != 404 else f"it answers {answer.status}"
    if answer.status != wanted.expect_status:
        return f"it answers {answer.status} instead of {wanted.expect_status}"
    if wanted.expect_body and wanted.expect_body not in answer.body:
        return f"it answers {answer.status}, but without {wanted.expect_body[:100]!r} in the body"
    return ""
