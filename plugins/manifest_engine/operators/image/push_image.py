"""Step ``push_image``: the image goes to the registry, and its digest comes back from there."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from manifest_engine.domain.approval import approval
from manifest_engine.domain.core.errors import BuildError, NothingHandedOver, RegistryError
from manifest_engine.domain.release import release as releases
from manifest_engine.operators.core.step import StepOperator, end_skipping
from manifest_engine.services.image.released_tag import find_released

if TYPE_CHECKING:
    from airflow.sdk import Context

    from manifest_engine.domain.release.release import Release
    from manifest_engine.hooks.builder.hook import BuilderHook
    from manifest_engine.hooks.registry.acr import AcrHook
    from manifest_engine.hooks.registry.remote_image import RemoteManifest
    from manifest_engine.services.build.image_build import ImageBuild

_REPLICATION_SECONDS = 30
"""How long a pushed tag may be unknown: replicas learn of it a little later (ACR)."""
_REBUILD_SECONDS = 1800
"""As the step build_image has it."""


class PushImage(StepOperator):
    """Push the release's image and its build cache.

    Where the builder is gone, or has lost the image since, it is built again on one that answers.

    XCom: ``digest`` (``sha256:…`` as the registry names it), ``image`` (reference by digest),
    ``pushed`` (False when it was there), ``seconds``.

    :param release: XCom of ``validate``.
    :param build: XCom of ``build_image``.
    :param approval: id of the task that asks for an approval; it is skipped where the environment
        asks for none.
    :param deadline_seconds: for each of the two pushes.
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
        return result

    def run(self, context: Context) -> dict[str, Any]:
        """
        :raises RegistryError: when the registry does not take the image.
        :raises BuildError: when it had to be built again, and that failed.
        """
        from manifest_engine.hooks.registry.acr import AcrHook

        release = releases.load(self.release)
        if not self.build:
            raise NothingHandedOver("image", "build_image")
        begin = time.monotonic()
        acr = AcrHook(release.environment.registry.connection)
        found = find_released(
            acr.api, release, key=self.build["input"], sha256=self.build["sha256"]
        )
        if found:
            self.log.info("An image of %s is in the registry: %s", release.image, found.digest)
            return _result(release, found.digest, pushed=False, begin=begin)
        if self.build["reused"]:
            raise BuildError(
                f"{release.image} was in the registry when build_image looked, and is gone; clear "
                "build_image to build it again."
            )
        if lost := self._lost():
            self.log.warning("%s The image is built again.", lost)
            self.build = self._build_again(release)
        if self.build["reused"]:  # somebody else's run was quicker
            return _result(release, self.build["digest"], pushed=False, begin=begin)
        digest = self._push(release, acr)
        return _result(release, digest, pushed=True, begin=begin)

    def on_kill(self) -> None:
        """End a build, also on the engine."""
        if self._rebuild:
            self._rebuild.cancel()

    def _lost(self) -> str | None:
        """None if the builder has the image, else a sentence on why it cannot be had."""
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
            # Another run may have given the tag to its own image meanwhile.
            builder.tag(self.build["image_id"], release.image)
            begin = time.monotonic()
            told = self._send(builder, release, acr)
            found = acr.api.wait_for(release.repository, release.tag, seconds=_REPLICATION_SECONDS)
            digest = _proven(release, self.build["image_id"], told, found)
            self.log.info(
                "Pushed %s in %.1f s: %s", release.image, time.monotonic() - begin, digest
            )
            self._push_cache(builder, release, acr)
        return digest

    def _send(self, builder: BuilderHook, release: Release, acr: AcrHook) -> str:
        """Push the release's tag; the digest that the engine tells."""
        from manifest_engine.hooks.engine.push_events import Unauthorized

        login = acr.docker_login()
        try:
            return builder.push(release.image, login, deadline_seconds=self.deadline_seconds)
        except Unauthorized as error:
            if not acr.api.may_push(release.repository):
                raise
            raise RegistryError(
                f"{error} It accepts the login and lets it push when asked again, so a later try "
                "may succeed.",
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


def _proven(release: Release, image_id: str, told: str, found: RemoteManifest | None) -> str:
    """The digest that the registry names, if it is that of the image that was built."""
    if found is None:
        raise RegistryError(
            f"The registry took {release.image} and does not know it {_REPLICATION_SECONDS} s "
            "later; see whether the tag was deleted, or the registry's replication is behind.",
            retryable=True,
        )
    ours = image_id in (found.config_digest, found.manifest_digest, found.digest)
    if not ours or told not in (found.digest, found.manifest_digest):
        raise RegistryError(
            f"{release.image} names {found.digest} in the registry, which is not the image that "
            f"was pushed ({told}): another push has taken the tag; give this content a new "
            "version.",
            # A rebuild of the same in another environment, in the same minute: its image will do.
            retryable=release.manifest.rebuild is not None,
        )
    return found.digest


def _result(release: Release, digest: str, *, pushed: bool, begin: float) -> dict[str, Any]:
    return {
        "digest": digest,
        "image": release.image_at(digest),
        "pushed": pushed,
        "seconds": round(time.monotonic() - begin, 2),
    }
