"""A tag is released once: what it names already is used again or refused, never overwritten."""

from __future__ import annotations

from typing import TYPE_CHECKING

from manifest_engine.domain.build.recipe import ARTIFACT_SHA256_LABEL, INPUT_LABEL
from manifest_engine.domain.core.errors import RegistryError

if TYPE_CHECKING:
    from manifest_engine.domain.release.release import Release
    from manifest_engine.hooks.registry.api import RegistryApi
    from manifest_engine.hooks.registry.remote_image import RemoteImage


def find_released(
    api: RegistryApi, release: Release, *, key: str, sha256: str
) -> RemoteImage | None:
    """The image that was built from the same input: the live one, else that of the release's tag.

    A rebuild has a tag of its own, and its image, once live, is newer than that of the version.

    :param key: the input key.
    :param sha256: of the artifact.
    :return: None when the tag is free.
    :raises RegistryError: when the tag names something else.
    """
    if release.live_digest and release.manifest.rebuild is None:
        live = api.find(release.repository, release.live_digest)
        if live and live.labels.get(INPUT_LABEL) == key:
            return live
    found = api.find(release.repository, release.tag)
    if found is None or found.labels.get(INPUT_LABEL) == key:
        return found
    other = found.labels.get(ARTIFACT_SHA256_LABEL)
    if other == sha256:
        origin = "the same artifact with other build arguments (utilsVersion)"
    elif other:
        origin = f"other content (artifact sha256 {other[:12]}…)"
    else:
        origin = f"other content (digest {found.digest[:19]}…)"
    raise RegistryError(
        f"{release.image} is in the registry already, built from {origin}; a released version is "
        "not overwritten: deploy this under a new version."
    )


def live_digest(api: RegistryApi, release: Release, image_id: str) -> str | None:
    """Of the image that is live, if a rebuild has made the very same again.

    :param image_id: of the image just built, as its engine calls it.
    """
    if release.manifest.rebuild is None:
        return None
    digest = release.manifest.rebuild.digest
    found = api.manifest(release.repository, digest)
    if found and image_id in (found.config_digest, found.manifest_digest, found.digest):
        return digest
    return None
