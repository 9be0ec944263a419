"""The pod of a service. Deployment and smoke test run the same container."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from manifest_engine.domain.manifest import time_limits
from manifest_engine.domain.manifest.sections import Liveness, Readiness
from manifest_engine.domain.pod import mounts
from manifest_engine.domain.pod.placement import placement, security, spread
from manifest_engine.domain.release import labels as label
from manifest_engine.domain.release.release import Release

APP = "app"
"""Name of the service's container in every pod."""

DRAIN_SECONDS = 5
"""Seconds for which a terminating pod keeps answering. Service proxies and gateways were measured
to send requests for about a second after the endpoint was removed; several gateway replicas need
longer."""
_EXIT_SECONDS = 5
"""Seconds for the exit of a process whose last request took all of the shutdown time."""
_FAILED_GRACE_SECONDS = 20
"""Seconds from the start of ``preStop`` to SIGKILL of a container that a probe ends. A service that
does not answer its probe must not delay its restart by the whole shutdown time."""
SHUTDOWN_VARIABLE = "SHUTDOWN_SECONDS"
"""Environment variable with the seconds between SIGTERM and the end of the running requests."""


def pod_spec(release: Release, digest: str) -> dict[str, Any]:
    """Spec of the Deployment's pods."""
    spec: dict[str, Any] = {
        "containers": [_serving(release, container(release, digest))],
        "terminationGracePeriodSeconds": grace_seconds(release),
    }
    return spec | placement(release) | spread(release) | mounts.volumes(release)


def grace_seconds(release: Release) -> int:
    """Seconds from the start of ``preStop`` to SIGKILL: the drain, and all running requests."""
    return DRAIN_SECONDS + _shutdown_seconds(release) + _EXIT_SECONDS


def _shutdown_seconds(release: Release) -> int:
    return time_limits.shutdown_seconds(release.manifest, release.environment)


def pod_metadata(release: Release, own: Mapping[str, str]) -> dict[str, Any]:
    """Metadata of the Deployment's pods.

    :param own: annotations besides those of the environment.
    """
    made = {"labels": label.pod_labels(release) | label.release_labels(release)}
    annotations = {**release.environment.pods.annotations, **own}
    return made | {"annotations": annotations} if annotations else made


def container(release: Release, digest: str) -> dict[str, Any]:
    """The service's container without probes: image, port, variables, resources, privileges."""
    manifest = release.manifest
    words = {"command": manifest.command, "args": manifest.args}
    return {
        "name": APP,
        "image": release.image_at(digest),
        "imagePullPolicy": "IfNotPresent",
        "ports": [{"name": "http", "containerPort": manifest.port, "protocol": "TCP"}],
        "env": _variables(release),
        "resources": release.resources.model_dump(mode="json", by_alias=True),
        "securityContext": security(release),
        # The pod's status then contains the last log lines of a failed container.
        "terminationMessagePolicy": "FallbackToLogsOnError",
        **{key: list(map(_exactly, given)) for key, given in words.items() if given},
        **mounts.container_mounts(release),
    }


def _variables(release: Release) -> list[dict[str, Any]]:
    manifest = release.manifest
    defaults = {
        name: value
        for name, value in release.environment.pods.env.items()
        if name not in manifest.secret_env
    }
    plain = [
        {"name": name, "value": _exactly(value)}
        for name, value in (defaults | manifest.env).items()
    ]
    secret = []
    for name, target in manifest.secret_env.items():
        secret_name, _, key = target.partition("/")
        reference = {"name": secret_name, "key": key}
        secret.append({"name": name, "valueFrom": {"secretKeyRef": reference}})
    made: list[dict[str, Any]] = [*plain, *secret]
    if not any(item["name"] == SHUTDOWN_VARIABLE for item in made):
        made.append({"name": SHUTDOWN_VARIABLE, "value": str(_shutdown_seconds(release))})
    return sorted(made, key=lambda item: item["name"])


def _exactly(text: str) -> str:
    """Kubernetes expands ``$(NAME)`` in a variable, a command and its arguments; ``$$`` is an
    escaped ``$`` (core/v1 Container)."""
    return text.replace("$", "$$")


def _serving(release: Release, made: dict[str, Any]) -> dict[str, Any]:
    """Add probes, and a pause before SIGTERM in which a terminating pod still answers."""
    manifest = release.manifest
    ready, alive = manifest.readiness, manifest.liveness
    check = _check(release, ready, manifest.health_path)
    ends = {"terminationGracePeriodSeconds": _FAILED_GRACE_SECONDS}
    made = made | {
        # Every second, so that a new pod is ready soon. The other probes start after it passes.
        "startupProbe": {
            **check,
            "periodSeconds": 1,
            "failureThreshold": manifest.startup,
            "timeoutSeconds": ready.timeout_seconds,
            **ends,
        },
        "readinessProbe": check | _pace(ready),
        "lifecycle": {"preStop": {"sleep": {"seconds": DRAIN_SECONDS}}},
    }
    if alive.kind != "none":
        path = alive.path or manifest.health_path
        made["livenessProbe"] = _check(release, alive, path) | _pace(alive) | ends
    return made


def _check(release: Release, check: Readiness | Liveness, path: str) -> dict[str, Any]:
    number = check.port or release.manifest.port
    port = "http" if number == release.manifest.port else number
    match check.kind:
        case "http":
            return {"httpGet": {"path": path, "port": port, "scheme": "HTTP"}}
        case "tcp":
            return {"tcpSocket": {"port": port}}
        case "grpc":
            return {"grpc": {"port": number, "service": check.grpc_service}}
        case _:
            return {"exec": {"command": list(map(_exactly, check.command))}}


def _pace(check: Readiness | Liveness) -> dict[str, Any]:
    return {
        "periodSeconds": check.period_seconds,
        "failureThreshold": check.failure_threshold,
        "timeoutSeconds": check.timeout_seconds,
    }
