"""Finds the image of a tag. The tag of an image that has been live is reused or refused.

The tag of an image that has not been live yet may name another image (``live_mark``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from manifest_engine.domain.build.recipe import ARTIFACT_SHA256_LABEL, INPUT_LABEL
from manifest_engine.domain.core.errors import RegistryError
from manifest_engine.services.image import live_mark

if TYPE_CHECKING:
    from manifest_engine.domain.release.release import Release
    from manifest_engine.hooks.registry.api import RegistryApi
    from manifest_engine.hooks.registry.remote_image import RemoteImage


@dataclass(frozen=True)
class Found:
    """What the registry has for a release.

    :param image: the image that was built from the same input.
    :param replaces: digest of the image of other content that a push replaces under the tag.
    """

    image: RemoteImage | None = None
    replaces: str | None = None


def find_released(api: RegistryApi, release: Release, *, key: str, sha256: str) -> Found:
    """The image that was built from the same input: the live image, else the image of the tag.

    The live image may come from a rebuild, which has its own tag and is newer than the image under
    the tag of the version.

    :param key: the input key.
    :param sha256: SHA-256 of the artifact.
    :return: without an image when the tag is free, or names an image that has not been live.
    :raises RegistryError: when the tag names an image of other input that may have been live.
    """
    if release.live_digest and release.manifest.rebuild is None:
        live = api.find(release.repository, release.live_digest)
        if live and live.labels.get(INPUT_LABEL) == key:
            return Found(live)
    found = api.find(release.repository, release.tag)
    if found is None or found.labels.get(INPUT_LABEL) == key:
        return Found(found)
    if live_mark.is_replaceable(api, release, found.digest):
        return Found(replaces=found.digest)
    other = found.labels.get(ARTIFACT_SHA256_LABEL)
    if other == sha256:
        origin = (
            "the same artifact with another utilsVersion, dockerfile, target, platform or buildArgs"
        )
    elif other:
        origin = f"other content (artifact sha256 {other[:12]}…)"
    else:
        origin = f"other content (digest {found.digest[:19]}…)"
    raise RegistryError(
        f"{release.image} is in the registry already, built from {origin}; a released version is "
        "not overwritten: deploy this under a new version."
    )


def live_digest(api: RegistryApi, release: Release, image_id: str) -> str | None:
    """Digest of the live image, if a rebuild produced the identical image.

    :param image_id: the engine's id of the image just built.
    """
    if release.manifest.rebuild is None:
        return None
    digest = release.manifest.rebuild.digest
    found = api.manifest(release.repository, digest)
    if found and image_id in (found.config_digest, found.manifest_digest, found.digest):
        return digest
    return None
