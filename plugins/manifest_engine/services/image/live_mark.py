"""Marks in the registry that show whether an image has been live in any environment.

``push_image`` marks an image as a candidate. ``apply_deployment`` marks the image as live before
the step applies anything. A version whose image is only a candidate may be built again from other
content. An image without the candidate's mark counts as live, because an earlier version of this
package may have deployed the image.

A mark is a second tag of the image. A tag of this form that names another image is ignored.

A replacement and a deployment can happen at the same time. The deployment writes the mark and then
reads the tag; the replacement writes the tag and then reads the mark. At least one of them sees the
other: the deployment stops, or the replacement restores the tag.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from manifest_engine.domain.core.errors import RegistryError, StateError

if TYPE_CHECKING:
    from logging import Logger

    from manifest_engine.domain.release.release import Release
    from manifest_engine.hooks.registry.api import RegistryApi

CANDIDATE, LIVE = "candidate", "live"


def is_replaceable(api: RegistryApi, release: Release, digest: str) -> bool:
    """Whether the tag of this image may name another image: no release of it has been live."""
    return (
        digest != release.live_digest
        and _has(api, release, digest, CANDIDATE)
        and not _has(api, release, digest, LIVE)
    )


def mark_candidate(api: RegistryApi, release: Release, digest: str, log: Logger) -> None:
    """Mark a new image, so that its version is not used up before it has been live."""
    if release.manifest.rebuild is not None:
        return
    try:
        api.tag(release.repository, _tag(digest, CANDIDATE), digest)
    except RegistryError as error:
        log.warning("The version %s is used up by this image: %s", release.tag, error)


def mark_live(api: RegistryApi, release: Release, digest: str) -> None:
    """Mark an image as live, before anything of the release is applied.

    :raises StateError: when another build has taken the tag of a candidate.
    :raises RegistryError: when the mark of a candidate cannot be written.
    """
    if _has(api, release, digest, LIVE):
        return
    try:
        api.tag(release.repository, _tag(digest, LIVE), digest)
    except RegistryError as error:
        if error.retryable or _has(api, release, digest, CANDIDATE):
            raise
        return  # the registry takes no marks, so no version can be built again there
    found = api.manifest(release.repository, release.tag)
    if found and found.digest != digest and _has(api, release, digest, CANDIDATE):
        raise StateError(
            f"{release.image} was built again from other content while this run tested its image "
            f"({digest[:19]}…), so nothing is applied. Start a new run."
        )


def put_back_if_live(api: RegistryApi, release: Release, former: str) -> None:
    """Let the tag name its former image again if that has become live meanwhile.

    :param former: digest of the image that this run has replaced.
    :raises RegistryError: when the tag was put back.
    """
    if not _has(api, release, former, LIVE):
        return
    api.tag(release.repository, release.tag, former)
    raise RegistryError(
        f"{release.image} has become live meanwhile with other content ({former[:19]}…), and names "
        "that image again; a released version is not overwritten: deploy this under a new version."
    )


def _has(api: RegistryApi, release: Release, digest: str, mark: str) -> bool:
    found = api.manifest(release.repository, _tag(digest, mark))
    return found is not None and found.digest == digest


def _tag(digest: str, mark: str) -> str:
    return f"{digest.replace(':', '-')}.{mark}"
