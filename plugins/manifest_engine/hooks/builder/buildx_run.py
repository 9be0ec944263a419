"""Runs one build: buildx as a child process, its files in a private folder that goes with it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from manifest_engine.domain.core.errors import BuildError
from manifest_engine.hooks.builder import build_failure, buildx
from manifest_engine.hooks.builder.build_output import BuildOutput
from manifest_engine.hooks.builder.child import Child, ChildCancelled, DeadlineExceeded
from manifest_engine.hooks.engine.client import write_private


class BuildCancelled(BuildError):
    """:meth:`BuildxRun.cancel` was called."""


@dataclass(frozen=True)
class BuildInput:
    """What a build is given besides its flags."""

    context: Iterable[bytes]
    """The build context, a tar in chunks."""
    logins: Mapping[str, buildx.Login] = field(repr=False)
    """By registry; for the base image and the cache."""
    deadline_seconds: float
    dockerfile: str
    """How to call the Dockerfile in errors."""
    on_line: Callable[[str], None]
    """Takes each line of output as it comes."""


class BuildxRun:
    """
    :param builder: how to call the builder in errors.
    :param engine: ``DOCKER_HOST`` and, with TLS, ``DOCKER_TLS_VERIFY`` and ``DOCKER_CERT_PATH``.
    """

    def __init__(self, builder: str, engine: Mapping[str, str]) -> None:
        self.output = BuildOutput()
        self._builder = builder
        self._engine = engine
        self._child = Child()

    def cancel(self) -> None:
        """End the build, also on the engine; may be called from a signal handler."""
        self._child.cancel()

    def image_id(self, build: buildx.Build, given: BuildInput) -> str:
        """Build, and keep the image in the engine under ``build.tag``; its id there.

        :raises BuildCancelled: after :meth:`cancel`.
        :raises BuildError: with the failing line and the last lines of its output.
        """

        def take(line: str) -> None:
            self.output.take(line)
            if line:
                given.on_line(line)

        plugin = buildx.find_plugin()
        with tempfile.TemporaryDirectory(prefix="manifest-engine-") as name:
            config = Path(name)  # mode 0700
            text = buildx.client_config(given.logins, build.proxies)
            write_private(config / "config.json", text)
            if build.source_policy:
                write_private(config / buildx.SOURCE_POLICY, build.source_policy)
            metadata = config / "metadata.json"
            try:
                status = self._child.run(
                    buildx.argv(plugin, build, metadata),
                    env=buildx.environment(build, self._engine, config, os.environ),
                    stream=given.context,
                    on_line=take,
                    deadline_seconds=given.deadline_seconds,
                )
            except DeadlineExceeded:
                raise BuildError(
                    f"The image was not built within {given.deadline_seconds:.0f} s on the builder "
                    f"{self._builder!r}; the build was ended. See its log for the slow step.",
                    retryable=True,
                ) from None
            except ChildCancelled:
                raise BuildCancelled("The build was cancelled.", retryable=True) from None
            if status != 0:
                raise build_failure.failure(
                    self.output, builder=self._builder, dockerfile=given.dockerfile
                )
            return buildx.image_id(metadata.read_text())
