"""Step ``build_image``: the ZIP becomes an image on one of the builders, or is found to be one."""

from __future__ import annotations

import time
from contextlib import ExitStack
from functools import cached_property
from typing import TYPE_CHECKING, Any

from manifest_engine.domain import archive, build_cache, builders, environments, names, recipe
from manifest_engine.domain import release as releases
from manifest_engine.domain.errors import BuildError, ConfigurationError, StateError
from manifest_engine.domain.member_paths import DOCKERFILE
from manifest_engine.operators.released_tag import released
from manifest_engine.operators.step import StepOperator

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow.sdk import Context

    from manifest_engine.domain.recipe import Recipe
    from manifest_engine.domain.release import Release
    from manifest_engine.hooks.acr import AcrHook
    from manifest_engine.hooks.builder import BuilderHook, Built
    from manifest_engine.hooks.buildx import Build, Login
    from manifest_engine.hooks.registry_api import RemoteImage

STANDARD_DOCKERFILE = environments.INCLUDE / "Dockerfile"


class BuildImage(StepOperator):
    """Build the release's image, unless the registry has it.

    XCom: ``image`` (reference with tag), ``input`` (input key), ``builder`` (Docker connection
    id), ``reused``; with ``reused`` also ``digest``, else ``image_id``, ``cache_image_id`` (None
    when the registry's cache serves as it is, or no new one could be made), ``steps``,
    ``cached_steps``, ``seconds``.

    :param release: XCom of ``validate``.
    :param artifact: XCom of ``download_artifact``.
    :param deadline_seconds: for the whole build.
    """

    template_fields = ("release", "artifact")

    def __init__(
        self, *, release: Any, artifact: Any, deadline_seconds: float = 1800, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.release = release
        self.artifact = artifact
        self.deadline_seconds = deadline_seconds
        self._builder: BuilderHook | None = None

    def run(self, context: Context) -> dict[str, Any]:
        """
        :raises BuildError: when the image cannot be built.
        :raises RegistryError: when the version was released with other content.
        """
        release = releases.load(self.release)
        if not self.artifact:
            raise StateError("No artifact was handed over; clear download_artifact and run it.")
        with ExitStack() as open_things:
            work = _Work(self, release, self.artifact["sha256"], open_things)
            return work.do()

    def on_kill(self) -> None:
        """End the build, also on the engine."""
        if self._builder:
            self._builder.cancel()

    def watch(self, builder: BuilderHook) -> None:
        """The builder that :meth:`on_kill` has to stop."""
        self._builder = builder


class _Work:
    """One try of the step."""

    def __init__(
        self, step: BuildImage, release: Release, sha256: str, open_things: ExitStack
    ) -> None:
        from manifest_engine.hooks.acr import AcrHook
        from manifest_engine.hooks.artifact_store import ArtifactStore

        self._step = step
        self._log = step.log
        self._release = release
        self._open = open_things
        self._end = time.monotonic() + step.deadline_seconds
        file = open_things.enter_context(ArtifactStore().open(sha256))
        self._archive = archive.open_archive(file, release.environment.limits)
        self._dockerfile, self._which = self._archive.dockerfile(STANDARD_DOCKERFILE.read_bytes())
        self._recipe: Recipe = recipe.recipe(release, sha256, self._dockerfile)
        self._acr: AcrHook = AcrHook(release.environment.registry.connection)

    def do(self) -> dict[str, Any]:
        service = f"{self._release.manifest.component}/{self._release.manifest.service_name}"
        ranked = builders.ranked(service, self._release.environment.builders)
        result: dict[str, Any] = {"image": self._release.image, "input": self._recipe.key}
        found = released(self._acr.api, self._release, self._recipe.key)
        if found:
            self._log.info(
                "%s is in the registry already, built from the same input: %s",
                self._release.image,
                found.digest,
            )
            return {**result, "builder": ranked[0], "reused": True, "digest": found.digest}
        self._advise()
        builder = self._choose(ranked)
        built = self._build(builder)
        return {
            **result,
            "builder": builder.docker_conn_id,
            "reused": False,
            "image_id": built.image_id,
            "cache_image_id": self._build_cache(builder, built),
            "steps": built.steps,
            "cached_steps": built.cached_steps,
            "seconds": round(built.seconds, 2),
        }

    def _advise(self) -> None:
        """Lint the service's own Dockerfile; the standard one is linted when it is changed."""
        from manifest_engine.hooks import dockerfile_lint

        if self._which != archive.FROM_ARTIFACT:
            return

        for line in dockerfile_lint.advice(self._dockerfile):
            self._log.warning("Advice on %s, %s", self._which, line)

    def _choose(self, ranked: list[str]) -> BuilderHook:
        """The first builder that answers."""
        from manifest_engine.hooks.builder import BuilderHook

        problems = []
        for conn_id in ranked:
            builder = self._open.enter_context(BuilderHook(conn_id))
            try:
                builder.ping()
            except BuildError as error:
                self._log.warning("%s", error)
                problems.append(str(error))
            else:
                self._step.watch(builder)
                return builder
        raise BuildError("No builder answers. " + " ".join(problems), retryable=True)

    def _build(self, builder: BuilderHook) -> Built:
        self._log.info(
            "Building %s on %s with %s", self._release.image, builder.docker_conn_id, self._which
        )
        try:
            built = self._run(builder, self._command(self._release.image, inline_cache=False))
        except BuildError as error:
            if "internal-utils" in str(error):
                self._require_index_login()
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
        """The same once more, all from the cache, with the cache written into the image."""
        from manifest_engine.hooks.builder import BuildCancelled

        if self._cached and build_cache.serves(self._cached.layers, builder.layers(built.image_id)):
            return None
        try:
            command = self._command(self._release.cache_image, inline_cache=True)
            return self._run(builder, command, quiet=True).image_id
        except BuildCancelled:
            raise
        except BuildError as error:
            self._log.warning("The build cache could not be written: %s", error)
            return None

    def _run(self, builder: BuilderHook, command: Build, *, quiet: bool = False) -> Built:
        return builder.build(
            command,
            self._context(),
            logins=self._logins,
            deadline_seconds=self._end - time.monotonic(),
            dockerfile=self._which,
            on_line=self._log.debug if quiet else self._log.info,
        )

    def _context(self) -> Iterator[bytes]:
        own = self._which == archive.FROM_ARTIFACT
        return self._archive.tar_stream({} if own else {DOCKERFILE: self._dockerfile})

    def _command(self, image: str, *, inline_cache: bool) -> Build:
        from manifest_engine.hooks.buildx import Build

        return Build(
            tag=image,
            file=DOCKERFILE,
            build_args=self._recipe.build_args,
            labels=self._recipe.labels,
            secrets=self._secrets,
            cache_from=self._release.cache_image if self._cached else None,
            inline_cache=inline_cache,
        )

    def _require_index_login(self) -> None:
        from manifest_engine.hooks.package_index import PackageIndexHook

        index = self._release.environment.package_index
        if index and self._secrets:
            PackageIndexHook(index.connection).require_login()

    @cached_property
    def _logins(self) -> dict[str, Login]:
        return {self._release.login_server: self._acr.docker_login()}

    @cached_property
    def _cached(self) -> RemoteImage | None:
        """The build cache in the registry."""
        return self._acr.api.find(self._release.repository, names.CACHE_TAG)

    @cached_property
    def _secrets(self) -> dict[str, str]:
        """The private index's pip configuration, where the environment has one.

        :raises ConfigurationError: when the manifest needs it and it cannot be had.
        """
        from manifest_engine.hooks.package_index import PackageIndexHook

        index, wanted = self._release.environment.package_index, self._release.manifest
        if index is None:
            if wanted.utils_version:
                raise ConfigurationError(
                    f"utilsVersion {wanted.utils_version} needs the private package index, and "
                    f"the environment {wanted.environment!r} has none: set packageIndex in "
                    "environments.yaml, or leave utilsVersion out."
                )
            return {}
        try:
            return {recipe.PIP_SECRET: PackageIndexHook(index.connection).pip_configuration()}
        except ConfigurationError as error:
            if wanted.utils_version:
                raise
            self._log.warning("The build goes on without the private package index: %s", error)
            return {}
