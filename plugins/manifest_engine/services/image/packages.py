"""Reads the packages of an image from the bill of materials that is attached in the registry."""

from __future__ import annotations

from manifest_engine.domain.core import names
from manifest_engine.domain.core.errors import RegistryError
from manifest_engine.domain.environment.environment import Environment
from manifest_engine.domain.image import packages

_REQUEST_SECONDS = 20.0


def read(
    environment: Environment, component: str, service_name: str, digest: str
) -> dict[str, str]:
    """The packages, as :func:`domain.image.packages.packages`.

    :raises RegistryError: when the registry has no bill of materials of the image, refuses, or does
        not answer.
    """
    from manifest_engine.hooks.builder.sbom import MEDIA_TYPE
    from manifest_engine.hooks.registry.acr import AcrHook

    acr = AcrHook(environment.registry.connection, deadline_seconds=_REQUEST_SECONDS)
    repository = names.repository(component, service_name)
    found = acr.api.referrers(repository, digest).read(MEDIA_TYPE)
    if found is None:
        raise RegistryError(
            f"{repository}@{digest[:19]}… has no bill of materials in the registry; the step "
            "describe_image attaches one."
        )
    try:
        return packages.packages(found)
    except ValueError as error:
        raise RegistryError(
            f"The bill of materials of {repository}@{digest[:19]}… cannot be read: {error}"
        ) from error
