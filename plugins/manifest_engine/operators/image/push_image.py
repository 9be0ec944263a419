"""Step ``push_image``: pushes the image and reads its digest from the registry."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from manifest_engine.domain.approval import approval
from manifest_engine.domain.core.errors import BuildError, NothingHandedOver, RegistryError
from manifest_engine.domain.pod import pod_security
from manifest_engine.domain.release import release as releases
from manifest_engine.operators.core.step import StepOperator, end_skipping
from manifest_engine.operators.events import runs
from manifest_engine.services.image import live_mark
from manifest_engine.services.image.released_tag import find_released

if TYPE_CHECKING:
    from airflow.sdk import Context

    from manifest_engine.domain.release.release import Release
    from manifest_engine.hooks.builder.hook import BuilderHook
    from manifest_engine.hooks.registry.acr import AcrHook
    from manifest_engine.hooks.registry.remote_image import RemoteManifest
    from manifest_engine.services.build.image_build import ImageBuild

_REPLICATION_SECONDS = 30
"""Wait for a pushed tag to appear: a replica of an ACR shows the tag later."""
_REBUILD_SECONDS = 1800
"""Limit for a build in this step; the default of ``build_image``."""


class PushImage(StepOperator):
    """Push the release's image and its build cache.

    If the builder is unreachable or no longer has the image, the image is built again.

    XCom: ``digest`` (``sha256:…`` in the registry), ``image`` (reference by digest), ``pushed``
    (False when the registry had the image), ``mark`` (whether ``apply_deployment`` must mark the
    image as live), ``seconds``.

    :param release: XCom of ``validate``.
    :param build: XCom of ``build_image``.
    :param approval: id of the task that asks for an approval; skipped when the environment asks for
        none.
    :param deadline_seconds: limit for each of the two pushes.
    """

    template_fields = ("release", "build")

    def __init__(
        self,
        *,
        release: Any,
        build: Any,
        approval: str | None = None,
        deadline_seconds: float = 900,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.release = release
        self.build = build
        self.approval = approval
        self.deadline_seconds = deadline_seconds
        self._rebuild: ImageBuild | None = None

    def execute(self, context: Context) -> Any:
        result = super().execute(context)
        if self.approval and not approval.is_needed(releases.load(self.release)):
            end_skipping(context, result, [self.approval])
        if self.approval:
            runs.record_wait(self, context, releases.load(self.release).manifest.environment)
        return result

    def run(self, context: Context) -> dict[str, Any]:
        """
        :raises ManifestError: when the image may run as root where no pod may.
        :raises RegistryError: when the registry refuses the image.
        :raises BuildError: when the image must be built again and the build fails.
        :raises NothingHandedOver: when ``build_image`` returned nothing.
        """
        from manifest_engine.hooks.registry.acr import AcrHook

        release = releases.load(self.release)
        if not self.build:
            raise NothingHandedOver("image", "build_image")
        begin = time.monotonic()
        acr = AcrHook(release.environment.registry.connection)
        released = find_released(
            acr.api, release, key=self.build["input"], sha256=self.build["sha256"]
        )
        replaces = self.build.get("replaces")
        if released.replaces not in (None, replaces):
            raise RegistryError(
                f"Another build has taken {release.image} since build_image "
                f"({released.replaces}); a released version is not overwritten: start a new run, "
                "or deploy this under a new version."
            )
        if found := released.image:
            self.log.info("An image of %s is in the registry: %s", release.image, found.digest)
            if replaces:  # a former try may have been killed after its push
                live_mark.put_back_if_live(acr.api, release, replaces)
            pod_security.require_user(release, found.user)
            return _result(release, found.digest, pushed=False, begin=begin)
        if self.build["reused"]:
            raise BuildError(
                f"{release.image} was in the registry during build_image and is missing now; "
                "clear build_image to build the image again."
            )
        if reason := self._missing_image():
            self.log.warning("%s The image is built again.", reason)
            self.build = self._build_again(release)
        if self.build["reused"]:  # another run pushed the image first
            return _result(release, self.build["digest"], pushed=False, begin=begin)
        digest = self._push(release, acr)
        live_mark.mark_candidate(acr.api, release, digest, self.log)
        if replaces:
            live_mark.put_back_if_live(acr.api, release, replaces)
        if release.non_root and (image := acr.api.find(release.repository, digest)):
            pod_security.require_user(release, image.user)
        return _result(release, digest, pushed=True, begin=begin)

    def on_kill(self) -> None:
        """Cancel a build, also on the engine."""
        if self._rebuild:
            self._rebuild.cancel()

    def _missing_image(self) -> str | None:
        """None if the builder has the image, else the reason as a sentence."""
        from manifest_engine.hooks.builder.hook import BuilderHook

        with BuilderHook(self.build["builder"]) as builder:
            try:
                builder.ping()
            except BuildError as error:
                return str(error)
            image_id = self.build["image_id"]
            if builder.image_id(image_id) is None:
                return (
                    f"The builder {self.build['builder']!r} no longer has the image "
                    f"{image_id[:19]} (removed since the build)."
                )
        return None

    def _build_again(self, release: Release) -> dict[str, Any]:
        from manifest_engine.services.build.image_build import ImageBuild

        with ImageBuild(
            release, self.build["sha256"], self.log, deadline_seconds=_REBUILD_SECONDS
        ) as self._rebuild:
            return self._rebuild.do()

    def _push(self, release: Release, acr: AcrHook) -> str:
        from manifest_engine.hooks.builder.hook import BuilderHook

        with BuilderHook(self.build["builder"]) as builder:
            # Another run may have moved the tag to its own image.
            builder.tag(self.build["image_id"], release.image)
            begin = time.monotonic()
            sent = self._send(builder, release, acr)
            found = acr.api.wait_for(release.repository, release.tag, seconds=_REPLICATION_SECONDS)
            digest = _verified_digest(release, self.build["image_id"], sent, found)
            self.log.info(
                "Pushed %s in %.1f s: %s", release.image, time.monotonic() - begin, digest
            )
            self._push_cache(builder, release, acr)
        return digest

    def _send(self, builder: BuilderHook, release: Release, acr: AcrHook) -> str:
        """Push the release's tag; returns the digest that the engine reports."""
        from manifest_engine.hooks.engine.push_events import Unauthorized

        login = acr.docker_login()
        try:
            return builder.push(release.image, login, deadline_seconds=self.deadline_seconds)
        except Unauthorized as error:
            if not acr.api.may_push(release.repository):
                raise
            raise RegistryError(
                f"{error} The registry now reports that the login may push, so a later try may "
                "succeed.",
                retryable=True,
            ) from error

    def _push_cache(self, builder: BuilderHook, release: Release, acr: AcrHook) -> None:
        image_id = self.build.get("cache_image_id")
        if image_id is None:
            return
        begin = time.monotonic()
        try:
            builder.tag(image_id, release.cache_image)
            builder.push(
                release.cache_image, acr.docker_login(), deadline_seconds=self.deadline_seconds
            )
        except Exception as error:
            self.log.warning(
                "The build cache was not pushed, so another builder starts without it: %s",
                error,
            )
        else:
            self.log.info("Pushed the build cache in %.1f s", time.monotonic() - begin)


def _verified_digest(
    release: Release, image_id: str, sent: str, found: RemoteManifest | None
) -> str:
    """The digest in the registry, if the digest belongs to the image that was built.

    :param sent: the digest that the engine reported after the push.
    """
    if found is None:
        raise RegistryError(
            f"The registry accepted {release.image} and does not have the image "
            f"{_REPLICATION_SECONDS} s later; check whether the tag was deleted, or whether the "
            "replication of the registry is late.",
            retryable=True,
        )
    ours = image_id in (found.config_digest, found.manifest_digest, found.digest)
    if not ours or sent not in (found.digest, found.manifest_digest):
        raise RegistryError(
            f"{release.image} names {found.digest} in the registry, which is not the image that "
            f"was pushed ({sent}): another push has taken the tag; give this content a new "
            "version.",
            # Another rebuild in the same minute pushed the same content; a retry reuses its image.
            retryable=release.manifest.rebuild is not None,
        )
    return found.digest


def _result(release: Release, digest: str, *, pushed: bool, begin: float) -> dict[str, Any]:
    return {
        "digest": digest,
        "image": release.image_at(digest),
        "pushed": pushed,
        "mark": release.manifest.rebuild is None,
        "seconds": round(time.monotonic() - begin, 2),
    }
