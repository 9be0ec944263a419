"""Step ``build_image``: builds the image from the ZIP, or finds the image in the registry."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from manifest_engine.domain.core.errors import NothingHandedOver
from manifest_engine.domain.release import release as releases
from manifest_engine.operators.core.step import StepOperator, end_skipping
from manifest_engine.services.build.image_build import ImageBuild

if TYPE_CHECKING:
    from airflow.sdk import Context


class BuildImage(StepOperator):
    """Build the release's image, unless the registry has the image.

    XCom: ``image`` (reference with tag), ``input`` (input key), ``sha256`` (of the artifact),
    ``builder`` (Docker connection id), ``reused``; with ``reused`` also ``digest``, else
    ``image_id``, ``cache_image_id`` (None when the cache in the registry is still valid, or a new
    cache could not be built), ``steps``, ``cached_steps``, ``seconds``. After a build also
    ``builtFrom`` (:class:`manifest_engine.domain.release.provenance.BuiltFrom`), and
    ``unchanged`` with ``digest`` when a rebuild produced the live image again; then all later steps
    but one are skipped.

    :param release: XCom of ``validate``.
    :param artifact: XCom of ``download_artifact``.
    :param unchanged: id of the task that is not skipped when a rebuild changed nothing.
    :param deadline_seconds: limit for the whole build.
    """

    template_fields = ("release", "artifact")

    def __init__(
        self,
        *,
        release: Any,
        artifact: Any,
        unchanged: str | None = None,
        deadline_seconds: float = 1800,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.release = release
        self.artifact = artifact
        self.unchanged = unchanged
        self.deadline_seconds = deadline_seconds
        self._build: ImageBuild | None = None

    def execute(self, context: Context) -> Any:
        result = super().execute(context)
        if result.get("unchanged"):
            later = self.get_flat_relative_ids(upstream=False)
            end_skipping(context, result, later - {self.unchanged})
        return result

    def run(self, context: Context) -> dict[str, Any]:
        """
        :raises BuildError: when the image cannot be built.
        :raises RegistryError: when the version was released with other content.
        :raises NothingHandedOver: when ``download_artifact`` returned nothing.
        """
        release = releases.load(self.release)
        if not self.artifact:
            raise NothingHandedOver("artifact", "download_artifact")
        with ImageBuild(
            release, self.artifact["sha256"], self.log, deadline_seconds=self.deadline_seconds
        ) as self._build:
            return self._build.do()

    def on_kill(self) -> None:
        """Cancel the build, also on the engine."""
        if self._build:
            self._build.cancel()
