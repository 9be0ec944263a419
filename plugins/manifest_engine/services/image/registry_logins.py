"""The logins for a build, limited to the registries of the images in the Dockerfile."""

from __future__ import annotations

from typing import TYPE_CHECKING

from manifest_engine.domain.image import base_images

if TYPE_CHECKING:
    from collections.abc import Iterable

    from manifest_engine.domain.environment.builds import Build
    from manifest_engine.hooks.builder.buildx import Login


def of(build: Build, images: Iterable[str]) -> dict[str, Login]:
    """The logins by host.

    :param images: references as in a Dockerfile.
    :raises ConfigurationError: when the Connection of a registry is missing or wrong.
    """
    from manifest_engine.hooks.registry import base_registry

    hosts = {base_images.host(base_images.normalized(image)) for image in images}
    known = {host: build.registry_of(host) for host in sorted(hosts)}
    return {host: base_registry.login(found, host) for host, found in known.items() if found}
