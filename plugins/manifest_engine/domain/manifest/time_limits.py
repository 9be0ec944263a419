"""How long a request may take, and how long an ending pod may finish its requests."""

from __future__ import annotations

from manifest_engine.domain.core.errors import NotAllowed
from manifest_engine.domain.environment.environment import Environment
from manifest_engine.domain.manifest.manifest import Manifest

DEFAULT_SECONDS = 60
"""Default time limit of a request. It also limits the shutdown if requests have no limit."""


def request_seconds(manifest: Manifest, environment: Environment) -> int:
    """Seconds that the route allows a request to take; 0 for no limit."""
    if manifest.route.timeout_seconds is not None:
        return manifest.route.timeout_seconds
    shutdown = manifest.shutdown_seconds or DEFAULT_SECONDS
    return min(DEFAULT_SECONDS, shutdown, _longest_request(environment))


def shutdown_seconds(manifest: Manifest, environment: Environment) -> int:
    """Seconds that an ending pod has for its running requests after it gets no new ones."""
    return (
        manifest.shutdown_seconds
        or request_seconds(manifest, environment)
        or min(DEFAULT_SECONDS, environment.cluster.max_shutdown_seconds)
    )


def require_allowed(manifest: Manifest, environment: Environment) -> None:
    """Refuse times above the limits of the environment.

    :raises NotAllowed: naming the field, the limit and its key in environments.yaml.
    """
    where = f"The environment {manifest.environment!r} allows"
    request = manifest.route.timeout_seconds
    if request == 0 and not environment.routing.allow_no_timeout:
        raise NotAllowed(
            f"route.timeoutSeconds is 0. {where} no requests without a time limit "
            "(routing.allowNoTimeout in environments.yaml); set at most "
            f"{_longest_request(environment)}."
        )
    if request and request > _longest_request(environment):
        raise NotAllowed(
            f"route.timeoutSeconds is {request}. {where} at most {_longest_request(environment)} "
            "(the smaller of routing.maxTimeoutSeconds and cluster.maxShutdownSeconds in "
            "environments.yaml); lower it, or have the limit raised."
        )
    longest = environment.cluster.max_shutdown_seconds
    if manifest.shutdown_seconds and manifest.shutdown_seconds > longest:
        raise NotAllowed(
            f"shutdownSeconds is {manifest.shutdown_seconds}. {where} at most {longest} "
            "(cluster.maxShutdownSeconds in environments.yaml); lower it, or have the limit raised."
        )


def _longest_request(environment: Environment) -> int:
    """A pod must be able to finish the longest request."""
    return min(environment.routing.max_timeout_seconds, environment.cluster.max_shutdown_seconds)
