"""Step ``build_image``: the ZIP becomes an image on one of the builders, or is found to be one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from manifest_engine.domain import release as releases
from manifest_engine.domain.errors import StateError
from manifest_engine.operators.image_build import ImageBuild
from manifest_engine.operators.step import StepOperator

if TYPE_CHECKING:
    from airflow.sdk import Context


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
        self._build: ImageBuild | None = None

    def run(self, context: Context) -> dict[str, Any]:
        """
        :raises BuildError: when the image cannot be built.
        :raises RegistryError: when the version was released with other content.
        """
        release = releases.load(self.release)
        if not self.artifact:
            raise StateError("No artifact was handed over; clear download_artifact and run it.")
        with ImageBuild(
            release, self.artifact["sha256"], self.log, deadline_seconds=self.deadline_seconds
        ) as self._build:
            return self._build.do()

    def on_kill(self) -> None:
        """End the build, also on the engine."""
        if self._build:
            self._build.cancel()
