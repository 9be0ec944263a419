"""How a build reaches the private package index, and what is said when it cannot."""

from __future__ import annotations

from typing import TYPE_CHECKING

from manifest_engine.domain import recipe
from manifest_engine.domain.errors import ConfigurationError

if TYPE_CHECKING:
    from logging import Logger

    from manifest_engine.domain.release import Release


def secrets(release: Release, log: Logger) -> dict[str, str]:
    """The private index's pip configuration by secret id, where the environment has one.

    :raises ConfigurationError: when the manifest needs it and it cannot be had.
    """
    from manifest_engine.hooks.package_index import PackageIndexHook

    index, wanted = release.environment.package_index, release.manifest
    if index is None:
        if wanted.utils_version:
            raise ConfigurationError(
                f"utilsVersion {wanted.utils_version} needs the private package index, and "
                f"the environment {wanted.environment!r} has none: set packageIndex in "
                "environments.yaml, or leave utilsVersion out."
            )
        return {}
    try:
        return {recipe.PIP_SECRET: PackageIndexHook(index.connection).pip_configuration()}
    except ConfigurationError as error:
        if wanted.utils_version:
            raise
        log.warning("The build goes on without the private package index: %s", error)
        return {}


def require_login(release: Release) -> None:
    """For a failed build to be told well: pip calls a package that it may not see "not found".

    :raises ConfigurationError: when the index refuses the login.
    """
    from manifest_engine.hooks.package_index import PackageIndexHook

    if release.environment.package_index:
        PackageIndexHook(release.environment.package_index.connection).require_login()
