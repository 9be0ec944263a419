"""Which builds are offered the private package index."""

from __future__ import annotations

from manifest_engine.domain.core.errors import ManifestError
from manifest_engine.domain.environment.environment import Environment, PackageIndex
from manifest_engine.domain.manifest.manifest import Manifest


def offered(manifest: Manifest, environment: Environment) -> PackageIndex | None:
    """The environment's index, if the build of this manifest is offered the index.

    :raises ManifestError: when the manifest needs an index and the environment has none.
    """
    index = environment.package_index
    if manifest.utils_version and index is None:
        raise ManifestError(
            f"utilsVersion {manifest.utils_version} needs the private package index, and the "
            f"environment {manifest.environment!r} has none: set packageIndex in "
            "environments.yaml, or leave utilsVersion out."
        )
    if index and (manifest.utils_version or index.offered_to == "all"):
        return index
    return None
