"""Step ``build_image``: the ZIP becomes an image on one of the builders, or is found to be one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from manifest_engine.domain.core.errors import NothingHandedOver
from manifest_engine.domain.release import release as releases
from manifest_engine.operators.core.step import StepOperator, end_skipping
from manifest_engine.services.build.image_build import ImageBuild

if TYPE_CHECKING:
    from airflow.sdk import Context


class BuildImage(StepOperator):
    """Build the release's image, unless the registry has it.

    XCom: ``image`` (reference with tag), ``input`` (input key), ``sha256`` (of the artifact),
    ``builder`` (Docker connection id), ``reused``; with ``reused`` also ``digest``, else
    ``image_id``, ``cache_image_id`` (None when the registry's cache serves as it is, or no new one
    could be made), ``steps``, ``cached_steps``, ``seconds``. After a build also ``builtFrom``
    (:class:`manifest_engine.domain.release.provenance.BuiltFrom`), and ``unchanged`` with
    ``digest`` where a rebuild has made the image that is live; all later steps but one are skipped
    then.

    :param release: XCom of ``validate``.
    :param artifact: XCom of ``download_artifact``.
    :param unchanged: id of the task that goes on when a rebuild has changed nothing.
    :param deadline_seconds: for the whole build.
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
        """
        release = releases.load(self.release)
        if not self.artifact:
            raise NothingHandedOver("artifact", "download_artifact")
        with ImageBuild(
            release, self.artifact["sha256"], self.log, deadline_seconds=self.deadline_seconds
        ) as self._build:
            return self._build.do()

    def on_kill(self) -> None:
        """End the build, also on the engine."""
        if self._build:
            self._build.cancel()
