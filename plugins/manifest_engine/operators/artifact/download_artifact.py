"""Step ``download_artifact``: copies the ZIP from Artifactory to the artifact store."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from manifest_engine.domain.artifact.archive import open_archive
from manifest_engine.domain.core.errors import ArtifactError
from manifest_engine.domain.release import release
from manifest_engine.hooks.artifactory.hook import ArtifactInfo, ArtifactoryHook
from manifest_engine.hooks.storage.artifact_store import ArtifactStore
from manifest_engine.operators.core.step import StepOperator
from manifest_engine.services.artifact.published import find_artifact

if TYPE_CHECKING:
    from airflow.sdk import Context

    from manifest_engine.domain.release.release import Release


class DownloadArtifact(StepOperator):
    """Verify the release's artifact and copy it to the artifact store, which all workers can read.

    XCom: ``sha256``, ``size`` (bytes), ``uri`` (in Artifactory), ``path`` (in the store), and
    ``reused``, whether the store already had the artifact.

    :param release: XCom of ``validate``. (templated)
    """

    template_fields = ("release",)

    def __init__(self, *, release: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.release = release

    def run(self, context: Context) -> dict[str, Any]:
        """
        :raises ArtifactError: when the ZIP cannot be downloaded, has another checksum than the
            manifest says, or is unsafe.
        """
        planned = release.load(self.release)
        if stored := self._stored(planned):
            return stored
        hook = ArtifactoryHook(planned.environment.artifactory.connection)
        info = find_artifact(hook, planned)
        store = ArtifactStore()
        reused = store.has(info.sha256, info.size)
        if reused:
            self.log.info("%s is in the artifact store already; no download", info.uri)
        else:
            self._download(hook, info, store)
        self._inspect(store, info, planned)
        return {
            "sha256": info.sha256,
            "size": info.size,
            "uri": info.uri,
            "path": store.url(info.sha256),
            "reused": reused,
        }

    def _stored(self, planned: Release) -> dict[str, Any] | None:
        """The stored artifact of the live release, for a rebuild; Artifactory is not asked."""
        rebuild = planned.manifest.rebuild
        if rebuild is None or rebuild.artifact_sha256 is None:
            return None
        store = ArtifactStore()
        size = store.size(rebuild.artifact_sha256)
        if size is None:
            self.log.info("The artifact store no longer has the artifact; asking Artifactory")
            return None
        self.log.info("The artifact of the live release is in the artifact store; no download")
        return {
            "sha256": rebuild.artifact_sha256,
            "size": size,
            "uri": planned.artifact,
            "path": store.url(rebuild.artifact_sha256),
            "reused": True,
        }

    def _download(self, hook: ArtifactoryHook, info: ArtifactInfo, store: ArtifactStore) -> None:
        self.log.info("Downloading %s, %s", info.uri, _amount(info.size))
        started = time.monotonic()
        store.put(hook.download(info), info.sha256)
        seconds = max(time.monotonic() - started, 0.001)
        self.log.info(
            "Downloaded %s in %.2f s (%s/s), sha256 %s as announced",
            _amount(info.size),
            seconds,
            _amount(info.size / seconds),
            info.sha256,
        )

    def _inspect(self, store: ArtifactStore, info: ArtifactInfo, planned: Release) -> None:
        """Refuse a ZIP whose directory is unsafe. The build checks the content of the members."""
        with store.open(info.sha256) as file:
            try:
                archive = open_archive(
                    file, planned.environment.limits, planned.manifest.dockerfile
                )
                if (
                    planned.manifest.rebuild is None
                ):  # a rebuild keeps an artifact that was accepted before
                    archive.require_dockerfile()
            except ArtifactError as error:
                raise ArtifactError(f"{info.uri}: {error}", retryable=error.retryable) from error
        self.log.info(
            "The ZIP has %d files, %s unpacked", len(archive.members), _amount(archive.size)
        )
        for note in archive.notes:
            self.log.warning("%s", note)


def _amount(size: float) -> str:
    return f"{size / 1e6:.1f} MB" if size >= 1e6 else f"{size / 1e3:.1f} kB"
