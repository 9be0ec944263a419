"""The pod of a service. Deployment and smoke test run the same container."""

from __future__ import annotations

from typing import Any

from manifest_engine.domain.manifest import time_limits
from manifest_engine.domain.manifest.sections import Liveness, Readiness
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
        # The service must not be PID 1. PID 1 ignores SIGTERM unless it handles the signal;
        # `flask run` does not, so every stop would take the whole grace period.
        "shareProcessNamespace": True,
    }
    return spec | placement(release)


def grace_seconds(release: Release) -> int:
    """Seconds from the start of ``preStop`` to SIGKILL: the drain, and all running requests."""
    return DRAIN_SECONDS + _shutdown_seconds(release) + _EXIT_SECONDS


def _shutdown_seconds(release: Release) -> int:
    return time_limits.shutdown_seconds(release.manifest, release.environment)


def placement(release: Release) -> dict[str, Any]:
    """Pod settings of the environment: node selector, service account and pull secrets."""
    cluster = release.environment.cluster
    spec: dict[str, Any] = {
        "securityContext": {"seccompProfile": {"type": "RuntimeDefault"}},
        # Each Service of the namespace would add seven environment variables.
        "enableServiceLinks": False,
    }
    if cluster.service_account:
        spec["serviceAccountName"] = cluster.service_account
    else:
        spec["automountServiceAccountToken"] = False
    if cluster.image_pull_secrets:
        spec["imagePullSecrets"] = [{"name": name} for name in cluster.image_pull_secrets]
    if cluster.node_selector:
        spec["nodeSelector"] = dict(cluster.node_selector)
    return spec


def container(release: Release, digest: str) -> dict[str, Any]:
    """The service's container without probes: image, port, variables, resources, privileges."""
    manifest = release.manifest
    return {
        "name": APP,
        "image": release.image_at(digest),
        "imagePullPolicy": "IfNotPresent",
        "ports": [{"name": "http", "containerPort": manifest.port, "protocol": "TCP"}],
        "env": _variables(release),
        "resources": manifest.resources.model_dump(mode="json", by_alias=True),
        "securityContext": security(),
        # The pod's status then contains the last log lines of a failed container.
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }


def security() -> dict[str, Any]:
    """Security context of a container. Root is allowed, since most images run as root."""
    return {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}


def _variables(release: Release) -> list[dict[str, Any]]:
    plain = [
        # Kubernetes expands `$(NAME)` in a value; `$$` is an escaped `$` (core/v1 EnvVar).
        {"name": name, "value": value.replace("$", "$$")}
        for name, value in release.manifest.env.items()
    ]
    secret = []
    for name, target in release.manifest.secret_env.items():
        secret_name, _, key = target.partition("/")
        reference = {"name": secret_name, "key": key}
        secret.append({"name": name, "valueFrom": {"secretKeyRef": reference}})
    made: list[dict[str, Any]] = [*plain, *secret]
    if not any(item["name"] == SHUTDOWN_VARIABLE for item in made):
        made.append({"name": SHUTDOWN_VARIABLE, "value": str(_shutdown_seconds(release))})
    return sorted(made, key=lambda item: item["name"])


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
            return {"exec": {"command": list(check.command)}}


def _pace(check: Readiness | Liveness) -> dict[str, Any]:
    return {
        "periodSeconds": check.period_seconds,
        "failureThreshold": check.failure_threshold,
        "timeoutSeconds": check.timeout_seconds,
    }
