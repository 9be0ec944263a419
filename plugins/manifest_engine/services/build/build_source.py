"""The input of a build: the artifact and its Dockerfile."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

from manifest_engine.domain.artifact import archive
from manifest_engine.domain.artifact.member_paths import DOCKERFILE
from manifest_engine.domain.build import dockerfile
from manifest_engine.domain.build.build_hints import BuildHints
from manifest_engine.domain.environment import environments

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import ExitStack
    from logging import Logger

    from manifest_engine.domain.environment.environment import Limits

STANDARD_DOCKERFILE = environments.INCLUDE / "Dockerfile"


class BuildSource:
    """The ZIP of one release and its Dockerfile, open while the image is built.

    :param sha256: SHA-256 of the artifact in the artifact store.
    :param opened: the stack that closes the artifact.
    :raises ArtifactError: when the artifact is missing, damaged, unsafe or beyond the limits.
    :raises BuildError: when the Dockerfile is empty, is not UTF-8 or has a command that cannot run.
    """

    def __init__(self, sha256: str, limits: Limits, opened: ExitStack, log: Logger) -> None:
        from manifest_engine.hooks.storage.artifact_store import ArtifactStore

        self._log = log
        file = opened.enter_context(ArtifactStore().open(sha256))
        self._archive = archive.open_archive(file, limits)
        self.dockerfile, self.which = self._archive.dockerfile(STANDARD_DOCKERFILE.read_bytes())
        """Content of the Dockerfile, and its name in logs."""
        dockerfile.refuse_invalid(self.dockerfile, self.which)
        self.hints = BuildHints(self._archive, self.dockerfile)
        if not dockerfile.has_command(self.dockerfile):
            log.warning(
                "%s has no CMD in its last stage, so the container runs the command of the base "
                "image",
                self.which,
            )
        if self._archive.ignore_path:
            log.info(
                "The build context omits the files that %s excludes", self._archive.ignore_path
            )

    @property
    def has_own_dockerfile(self) -> bool:
        """Whether the artifact contains the Dockerfile."""
        return self.which == archive.FROM_ARTIFACT

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
        added = {} if self.has_own_dockerfile else {DOCKERFILE: self.dockerfile}
        return self._archive.tar_stream(added)
