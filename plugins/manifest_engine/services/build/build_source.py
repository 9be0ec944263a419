"""The input of a build: the artifact and its Dockerfile."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

from manifest_engine.domain.artifact import archive
from manifest_engine.domain.artifact.member_paths import DOCKERFILE
from manifest_engine.domain.build import dockerfile
from manifest_engine.domain.build.build_hints import BuildHints
from manifest_engine.domain.core import printable
from manifest_engine.domain.core.errors import BuildError
from manifest_engine.domain.environment import environments

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import ExitStack
    from logging import Logger

    from manifest_engine.domain.release.release import Release

STANDARD_DOCKERFILE = environments.INCLUDE / "Dockerfile"


class BuildSource:
    """The ZIP of one release and its Dockerfile, open while the image is built.

    :param release: names the Dockerfile and the stage to build.
    :param sha256: SHA-256 of the artifact in the artifact store.
    :param opened: the stack that closes the artifact.
    :raises ArtifactError: when the artifact is missing, damaged, unsafe or beyond the limits.
    :raises BuildError: when the Dockerfile is empty, is not UTF-8 or has a command that cannot run.
    """

    def __init__(self, release: Release, sha256: str, opened: ExitStack, log: Logger) -> None:
        from manifest_engine.hooks.storage.artifact_store import ArtifactStore

        self._log = log
        file = opened.enter_context(ArtifactStore().open(sha256))
        asked = release.manifest
        self._archive = archive.open_archive(file, release.environment.limits, asked.dockerfile)
        self.dockerfile = self._archive.dockerfile(STANDARD_DOCKERFILE.read_bytes())
        """Content of the Dockerfile."""
        found = self._archive.dockerfile_path
        self.path = found or DOCKERFILE
        """Path of the Dockerfile in the build context."""
        self.has_own_dockerfile = found is not None
        """Whether the artifact contains the Dockerfile."""
        self.which = f"{found} of the artifact" if found else "the standard Dockerfile"
        """Name of the Dockerfile in logs and errors."""
        dockerfile.refuse_invalid(self.dockerfile, self.which, target=asked.target)
        self.hints = BuildHints(self._archive, self.dockerfile)
        if not dockerfile.has_command(self.dockerfile, target=asked.target):
            log.warning(
                "%s has no CMD in its %s, so the container runs the command of the base image",
                self.which,
                f"stage {asked.target}" if asked.target else "last stage",
            )
        if asked.rebuild is None:  # a rebuild uses an artifact that was accepted before
            self._refuse_empty_copies(asked.target)
        if unused := dockerfile.undeclared(self.dockerfile, asked.build_args):
            log.warning(
                "%s has no ARG %s, so this build argument of the manifest has no effect",
                self.which,
                " and no ARG ".join(unused),
            )
        if self._archive.ignore_path:
            log.info(
                "The build context omits the files that %s excludes", self._archive.ignore_path
            )

    def _refuse_empty_copies(self, target: str | None) -> None:
        """Refuse a COPY whose wildcards match no file, because BuildKit does not report it."""
        for copy in dockerfile.wildcard_copies(self.dockerfile, target=target):
            if any(map(self._archive.has_match, copy.sources)):
                continue
            raise BuildError(
                f"The image could not be built: {self.which}, line {copy.line} "
                f"({printable.excerpt(copy.instruction, 80)}): no file of the ZIP matches "
                f"{' or '.join(copy.sources)[:200]} (paths are relative to the ZIP's root, and "
                "files that .dockerignore excludes are ignored): add the file, or correct or "
                "remove the line."
            )

    @contextmanager
    def log_advice(self) -> Iterator[None]:
        """Lint the artifact's own Dockerfile while the caller works, then log the advice.

        Advice never fails a build. The standard Dockerfile gets none: its users cannot change it.
        """
        if not self.has_own_dockerfile:
            yield
            return
        from manifest_engine.hooks.builder import dockerfile_lint

        with ThreadPoolExecutor(1) as pool:
            advice = pool.submit(dockerfile_lint.advice, self.dockerfile)
            try:
                yield
            finally:
                for line in advice.result():
                    self._log.warning("Advice on %s, %s", self.which, line)

    def context(self) -> Iterator[bytes]:
        """The build context as chunks of a tar archive.

        :raises ArtifactError: when a member of the ZIP is damaged, possibly after some chunks.
        """
        added = {} if self.has_own_dockerfile else {self.path: self.dockerfile}
        return self._archive.tar_stream(added)
