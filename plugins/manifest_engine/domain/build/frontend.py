"""The frontend of a build: the image of the line ``# syntax=``, which reads the Dockerfile.

The line is a part of the Dockerfile, so the input key covers the line by the checksum of the ZIP.
The frontend's digest is recorded like that of a base image, and the nightly rebuild renews the
image when the frontend's tag moves.
"""

from __future__ import annotations

from collections.abc import Mapping

from manifest_engine.domain.build import dockerfile
from manifest_engine.domain.image import base_images

ARGUMENT = "BUILDKIT_SYNTAX"
"""Build argument that replaces the line. It appears neither in layers nor in the history
(https://docs.docker.com/build/buildkit/frontend)."""


def reference(content: bytes, mirror: str | None) -> str | None:
    """The normalized image of the frontend; None for the frontend that BuildKit contains.

    :param content: of the Dockerfile.
    :param mirror: registry and path with copies of Docker Hub's repositories. Images of other
        registries stay as they are.
    """
    asked = dockerfile.frontend(content)
    if asked is None:
        return None
    found = base_images.normalized(asked)
    hub = f"{base_images.DOCKER_HUB}/"
    return f"{mirror}/{found.removeprefix(hub)}" if mirror and found.startswith(hub) else found


def build_args(content: bytes, mirror: str | None, pins: Mapping[str, str]) -> dict[str, str]:
    """The build argument that names the frontend; empty if the line of the Dockerfile holds.

    :param pins: digest by normalized image.
    """
    found = reference(content, mirror)
    if found is None:
        return {}
    if digest := pins.get(found):
        return {ARGUMENT: f"{found}@{digest}"}
    asked = dockerfile.frontend(content)
    return {ARGUMENT: found} if asked and base_images.normalized(asked) != found else {}
