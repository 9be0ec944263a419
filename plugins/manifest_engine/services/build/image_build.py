"""Builds the image of a release on a builder, or finds the image in the registry."""

from __future__ import annotations

import time
from contextlib import ExitStack
from functools import cached_property
from typing import TYPE_CHECKING, Any

from manifest_engine.domain.build import (
    build_cache,
    builders,
    dockerfile,
    frontend,
    recipe,
    source_policy,
)
from manifest_engine.domain.core import names
from manifest_engine.domain.core.errors import BuildError
from manifest_engine.domain.release import provenance
from manifest_engine.services.build import index_access
from manifest_engine.services.build.build_source import BuildSource
from manifest_engine.services.build.builder_choice import first_usable
from manifest_engine.services.image import registry_logins
from manifest_engine.services.image.released_tag import find_released, live_digest

if TYPE_CHECKING:
    from logging import Logger

    from manifest_engine.domain.build.recipe import Recipe
    from manifest_engine.domain.environment import builds
    from manifest_engine.domain.release.release import Release
    from manifest_engine.hooks.builder.buildx import Build, Login
    from manifest_engine.hooks.builder.hook import BuilderHook, Built
    from manifest_engine.hooks.registry.acr import AcrHook
    from manifest_engine.hooks.registry.remote_image import RemoteImage


class ImageBuild:
    """One attempt to build the image of a release; a context manager.

    :param sha256: SHA-256 of the artifact in the artifact store.
    :param deadline_seconds: limit for the work of the builder.
    """

    def __init__(
        self, release: Release, sha256: str, log: Logger, *, deadline_seconds: float
    ) -> None:
        from manifest_engine.hooks.registry.acr import AcrHook

        self._log = log
        self._release = release
        self._sha256 = sha256
        self._end = time.monotonic() + deadline_seconds
        self._builder: BuilderHook | None = None
        self._cancelled = False
        self._open = ExitStack()
        self._source = BuildSource(release, sha256, self._open, log)
        self._rules: builds.Build = release.environment.build
        self._frontend = frontend.reference(self._source.dockerfile, self._rules.syntax_mirror)
        self._recipe: Recipe = recipe.recipe(release, sha256, self._source.dockerfile)
        self._acr: AcrHook = AcrHook(release.environment.registry.connection)

    def __enter__(self) -> ImageBuild:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def cancel(self) -> None:
        """Cancel the build, also on the engine. A signal handler may call this."""
        self._cancelled = True
        if self._builder:
            self._builder.cancel()

    def do(self) -> dict[str, Any]:
        """Build the image unless the registry has it.

        :return: the XCom of the step ``build_image``.
        """
        service = f"{self._release.manifest.component}/{self._release.manifest.service_name}"
        ranked = builders.ranked(service, self._release.environment.builders)
        result: dict[str, Any] = {
            "image": self._release.image,
            "input": self._recipe.key,
            "sha256": self._sha256,
        }
        released = find_released(
            self._acr.api, self._release, key=self._recipe.key, sha256=self._sha256
        )
        if found := released.image:
            self._log.info(
                "An image of %s is in the registry already, built from the same input: %s",
                self._release.image,
                found.digest,
            )
            if not self._recipe.has_same_dockerfile(found.labels):
                self._log.warning(
                    "The image was built with an earlier standard Dockerfile; rebuild_services "
                    "renews the image."
                )
            return {**result, "builder": ranked[0], "reused": True, "digest": found.digest}
        if released.replaces:
            self._log.info(
                "%s is in the registry with other content that has not been live (%s); this build "
                "replaces it",
                self._release.image,
                released.replaces,
            )
            result["replaces"] = released.replaces
        with self._source.log_advice():
            builder = self._choose(ranked)
            built = self._build(builder)
        result |= {"builder": builder.docker_conn_id, "builtFrom": self._provenance(built)}
        if digest := live_digest(self._acr.api, self._release, built.image_id):
            self._log.info("The same image is live already: %s", digest)
            return {**result, "reused": True, "unchanged": True, "digest": digest}
        return {
            **result,
            "reused": False,
            "image_id": built.image_id,
            "cache_image_id": self._build_cache(builder, built),
            "steps": built.steps,
            "cached_steps": built.cached_steps,
            "seconds": round(built.seconds, 2),
        }

    def _choose(self, ranked: list[str]) -> BuilderHook:
        platform = self._release.platform
        self._builder = first_usable(
            ranked,
            self._rules,
            self._open,
            self._log,
            runs_on=platform if dockerfile.runs_programs(self._source.dockerfile) else None,
        )
        if self._cancelled:
            self._builder.cancel()
        return self._builder

    def _build(self, builder: BuilderHook) -> Built:
        self._log.info(
            "Building %s on %s with %s",
            self._release.image,
            builder.docker_conn_id,
            self._source.which,
        )
        try:
            built = self._run(builder, self._command(self._release.image, inline_cache=False))
        except BuildError as error:
            if "package" in str(error) and self._index.secrets:
                index_access.require_login(self._release)
            raise
        self._log.info(
            "Built %s in %.1f s, %d of %d steps from the cache: %s",
            self._release.image,
            built.seconds,
            built.cached_steps,
            built.steps,
            built.image_id,
        )
        return built

    def _build_cache(self, builder: BuilderHook, built: Built) -> str | None:
        """Build again from the cache, and write the cache into the image.

        :return: the image's id; None if the cache in the registry is still valid, if a new cache
            costs more than it saves, or if this build fails.
        """
        from manifest_engine.hooks.builder.buildx_run import BuildCancelled

        try:
            if self._cached and build_cache.covers(
                self._cached.layers, builder.layers(built.image_id)
            ):
                return None
            if not build_cache.is_worthwhile(
                context_seconds=built.context_seconds, command_seconds=built.command_seconds
            ):
                self._log.info(
                    "The build cache is not written: sending the build context again would take "
                    "about %.0f s, and the commands took %.0f s",
                    built.context_seconds,
                    built.command_seconds,
                )
                return None
            command = self._command(self._release.cache_image, inline_cache=True)
            return self._run(builder, command, quiet=True).image_id
        except BuildCancelled:
            raise
        except BuildError as error:
            self._log.warning("The build cache could not be written: %s", error)
            return None

    def _run(self, builder: BuilderHook, command: Build, *, quiet: bool = False) -> Built:
        from manifest_engine.hooks.builder.buildx_run import BuildInput

        build_input = BuildInput(
            self._source.context(),
            logins=self._logins,
            deadline_seconds=self._end - time.monotonic(),
            dockerfile=self._source.which,
            on_line=self._log.debug if quiet else self._log.info,
            hints=self._source.hints,
            frontend=self._frontend or "",
        )
        return builder.build(command, build_input)

    def _provenance(self, built: Built) -> dict[str, Any]:
        return provenance.of(
            self._source.dockerfile,
            standard=not self._source.has_own_dockerfile,
            args=self._recipe.build_args,
            bases={**built.bases, **self._pinned_frontend()},
        ).dump()

    def _pinned_frontend(self) -> dict[str, str]:
        """The frontend's digest. BuildKit reports the digest only for a frontend with a tag."""
        rebuild = self._release.manifest.rebuild
        pin = rebuild.bases.get(self._frontend) if rebuild and self._frontend else None
        return {self._frontend: pin} if self._frontend and pin else {}

    def _command(self, image: str, *, inline_cache: bool) -> Build:
        from manifest_engine.hooks.builder.buildx import Build

        rebuild = self._release.manifest.rebuild
        no_cache = bool(rebuild and rebuild.no_cache)
        pins = rebuild.bases if rebuild else {}
        return Build(
            tag=image,
            file=self._source.path,
            target=self._release.manifest.target,
            platform=self._release.platform,
            build_args={
                **self._recipe.build_args,
                **self._index.build_args,
                **frontend.build_args(self._source.dockerfile, self._rules.syntax_mirror, pins),
            },
            labels=self._recipe.labels,
            secrets=self._index.secrets,
            cache_from=self._release.cache_image if self._cached and not no_cache else None,
            source_policy=source_policy.source_policy(self._rules, pins),
            pins={base: pin for base, pin in pins.items() if base != self._frontend},
            proxies=_proxies(self._rules),
            no_cache=no_cache
            and not inline_cache,  # a cache build reuses the layers of the build before
            inline_cache=inline_cache,
        )

    @cached_property
    def _logins(self) -> dict[str, Login]:
        images = dockerfile.images(self._source.dockerfile, self._recipe.build_args)
        images |= {self._frontend} if self._frontend else set()
        others = registry_logins.of(self._rules, images)
        return {**others, self._release.login_server: self._acr.docker_login()}

    @cached_property
    def _cached(self) -> RemoteImage | None:
        """The build cache in the registry."""
        return self._acr.api.find(self._release.repository, names.CACHE_TAG)

    @cached_property
    def _index(self) -> index_access.IndexAccess:
        return index_access.IndexAccess(self._release)


def _proxies(build: builds.Build) -> dict[str, str]:
    if not build.proxy:
        return {}
    return {"httpProxy": build.proxy, "httpsProxy": build.proxy, "noProxy": build.no_proxy}
