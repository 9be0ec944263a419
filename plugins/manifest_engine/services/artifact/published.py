"""Finds the artifact of a release in Artifactory and checks its SHA-256."""

from __future__ import annotations

from typing import TYPE_CHECKING

from manifest_engine.domain.core.errors import ArtifactError

if TYPE_CHECKING:
    from manifest_engine.domain.release.release import Release
    from manifest_engine.hooks.artifactory.hook import ArtifactInfo, ArtifactoryHook


def find_artifact(hook: ArtifactoryHook, release: Release) -> ArtifactInfo:
    """
    :raises ArtifactError: when the artifact is missing, or its SHA-256 differs from the manifest or
        from the live release that a rebuild renews.
    """
    info = hook.file_info(release.artifact)
    expected, rebuild = release.manifest.artifact_sha256, release.manifest.rebuild
    if rebuild and rebuild.artifact_sha256 not in (None, info.sha256):
        raise ArtifactError(
            f"{info.uri} has the sha256 {info.sha256}, while the live release was built from "
            f"{rebuild.artifact_sha256}, which the artifact store no longer has: the release "
            "cannot be rebuilt; deploy the new content as a new version."
        )
    if expected and expected != info.sha256:
        raise ArtifactError(
            f"{info.uri} has the sha256 {info.sha256}, while the manifest's artifactSha256 is "
            f"{expected}: another file was published under that name, or the manifest is that of "
            "another version; correct one of them."
        )
    return info
