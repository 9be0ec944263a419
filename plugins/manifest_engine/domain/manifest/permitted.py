"""Whether an environment permits what a manifest names, checked without the cluster."""

from __future__ import annotations

from manifest_engine.domain.environment import access
from manifest_engine.domain.environment.environment import Environment
from manifest_engine.domain.manifest import reach, time_limits
from manifest_engine.domain.manifest.manifest import Manifest


def require(manifest: Manifest, environment: Environment) -> None:
    """Check every rule of the environment for the manifest.

    :raises NotAllowed: naming the first rule that the manifest breaks.
    """
    access.require_component(manifest.component, manifest.environment, environment.access)
    reach.require_allowed(manifest, environment)
    time_limits.require_allowed(manifest, environment)
