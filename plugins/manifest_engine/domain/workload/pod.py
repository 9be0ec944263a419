"""The pod of a service: the same container for the Deployment and for the smoke test."""

from __future__ import annotations

from typing import Any

from manifest_engine.domain.release.release import Release

APP = "app"
"""Name of the service's container in every pod."""

DRAIN_SECONDS = 5
"""A pod that ends keeps answering this long. Service proxies and gateways have been seen to send
requests for about a second after the endpoint was gone; several gateway replicas need longer."""
GRACE_SECONDS = 20
"""From the beginning of ``preStop`` until the pod is killed: the drain and 15 s for what runs."""


def pod_spec(release: Release, digest: str) -> dict[str, Any]:
    """Spec of the Deployment's pods."""
    spec: dict[str, Any] = {
        "containers": [_serving(release, container(release, digest))],
        "terminationGracePeriodSeconds": GRACE_SECONDS,
        # The service must not be PID 1: that one ignores SIGTERM unless it handles it, and
        # `flask run` does not, so that every stop would take the whole grace period.
        "shareProcessNamespace": True,
    }
    return spec | placement(release)


def placement(release: Release) -> dict[str, Any]:
    """What the environment says about pods: where they run, as whom, and who pulls."""
    cluster = release.environment.cluster
    spec: dict[str, Any] = {
        "securityContext": {"seccompProfile": {"type": "RuntimeDefault"}},
        # Otherwise each Service of the namespace adds seven variables to the environment.
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
    """The service's container by itself: image, port, environment, resources, rights."""
    manifest = release.manifest
    return {
        "name": APP,
        "image": release.image_at(digest),
        "imagePullPolicy": "IfNotPresent",
        "ports": [{"name": "http", "containerPort": manifest.port, "protocol": "TCP"}],
        "env": _environment(release),
        "resources": manifest.resources.model_dump(mode="json", by_alias=True),
        "securityContext": security(),
        # The last log lines of a container that failed then stand in the pod's status.
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }


def security() -> dict[str, Any]:
    """Rights of a container. Not forced to be non-root: images run as root unless they say so."""
    return {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}


def _environment(release: Release) -> list[dict[str, Any]]:
    plain = [
        # `$(NAME)` in a value would be expanded; `$$` stands for `$` (core/v1 EnvVar).
        {"name": name, "value": value.replace("$", "$$")}
        for name, value in release.manifest.env.items()
    ]
    secret = []
    for name, target in release.manifest.secret_env.items():
        secret_name, _, key = target.partition("/")
        reference = {"name": secret_name, "key": key}
        secret.append({"name": name, "valueFrom": {"secretKeyRef": reference}})
    return sorted([*plain, *secret], key=lambda item: item["name"])


def _serving(release: Release, made: dict[str, Any]) -> dict[str, Any]:
    """With probes, and a pause before the end so that a stopping pod still answers."""
    asked = {"path": release.manifest.health_path, "port": "http", "scheme": "HTTP"}
    startup = release.manifest.smoke_test.timeout_seconds
    return made | {
        # Every second, so that a new pod is ready soon; the others begin once it has passed.
        "startupProbe": _probe(asked, period=1, failures=startup, timeout=1),
        "readinessProbe": _probe(asked, period=5, failures=2, timeout=3),
        "livenessProbe": _probe(asked, period=10, failures=3, timeout=5),
        "lifecycle": {"preStop": {"sleep": {"seconds": DRAIN_SECONDS}}},
    }


def _probe(asked: dict[str, Any], *, period: int, failures: int, timeout: int) -> dict[str, Any]:
    return {
        "httpGet": dict(asked),
        "periodSeconds": period,
        "failureThreshold": failures,
        "timeoutSeconds": timeout,
    }
