"""Finds the artifact of a release in Artifactory, and lists the versions of a service."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from manifest_engine.domain.artifact import versions
from manifest_engine.domain.core.errors import ArtifactError

if TYPE_CHECKING:
    from manifest_engine.domain.release.release import Release
    from manifest_engine.hooks.artifactory.hook import ArtifactInfo, ArtifactoryHook

LIST_SECONDS = 5.0
"""How long an answer waits for Artifactory's list."""
_FRESH_SECONDS = 10.0
_AT_ONCE = 4


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


def list_versions(
    connection: str, repository: str, component: str, service_name: str
) -> dict[str, Any]:
    """The versions of a service, as :func:`domain.artifact.versions.versions`.

    The list is read in a thread, and counts as the present state for 10 seconds.

    :raises ArtifactError: when Artifactory refuses or does not answer.
    :raises TimeoutError: when the list did not come within 5 seconds.
    """
    period = int(time.monotonic() / _FRESH_SECONDS)
    return (
        _pool()
        .submit(_versions, period, connection, repository, component, service_name)
        .result(LIST_SECONDS)
    )


@lru_cache(maxsize=1)
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(_AT_ONCE, "artifactory")


@lru_cache(maxsize=256)
def _versions(
    _period: int, connection: str, repository: str, component: str, service_name: str
) -> dict[str, Any]:
    from manifest_engine.hooks.artifactory.hook import ArtifactoryHook
    from manifest_engine.hooks.artifactory.listing import files_below

    folder = versions.folder(repository, component, service_name)
    files = files_below(ArtifactoryHook(connection, attempts=1), folder)
    return versions.versions(files, repository, component, service_name)
