"""The frontend of a build: the image in the line ``# syntax=``, which interprets the Dockerfile.

The frontend's digest is recorded like the digest of a base image, so the nightly rebuild renews
the image when the frontend's tag moves.
"""

from __future__ import annotations

from collections.abc import Mapping

from manifest_engine.domain.build import dockerfile
from manifest_engine.domain.image import base_images

ARGUMENT = "BUILDKIT_SYNTAX"
"""Build argument that replaces the line. The image does not record this argument
(https://docs.docker.com/build/buildkit/frontend)."""


def reference(content: bytes, mirror: str | None) -> str | None:
    """The normalized image of the frontend; None for BuildKit's own frontend.

    :param content: content of the Dockerfile.
    :param mirror: registry and path that replace Docker Hub.
    """
    asked = dockerfile.frontend(content)
    if asked is None:
        return None
    found = base_images.normalized(asked)
    hub = f"{base_images.DOCKER_HUB}/"
    return f"{mirror}/{found.removeprefix(hub)}" if mirror and found.startswith(hub) else found


def build_args(content: bytes, mirror: str | None, pins: Mapping[str, str]) -> dict[str, str]:
    """The build argument for a pinned or mirrored frontend; else empty.

    :param pins: digest by normalized image.
    """
    found = reference(content, mirror)
    if found is None:
        return {}
    if digest := pins.get(found):
        return {ARGUMENT: f"{found}@{digest}"}
    asked = dockerfile.frontend(content)
    return {ARGUMENT: found} if asked and base_images.normalized(asked) != found else {}
