"""The pod of a smoke test: a pod of the Deployment that runs once and gets no traffic."""

from __future__ import annotations

from typing import Any

from manifest_engine.domain.pod import mounts
from manifest_engine.domain.release import labels as label
from manifest_engine.domain.release.release import Release
from manifest_engine.domain.workload import pod

_MARGIN_SECONDS = 30
"""The smoke test itself ends when the startup time is over, before the kubelet stops the service:
afterwards nobody can tell what the service would have answered."""
_END_SECONDS = 1
"""The service answers nobody when its smoke test ends, so it need not finish requests."""


def smoke_pod(release: Release, digest: str) -> dict[str, Any]:
    """The pod, without a name. Its container, probes and privileges are those of the Deployment."""
    spec = pod.pod_spec(release, digest)
    for container in spec["containers"]:
        container.pop("lifecycle", None)
        for probe in ("startupProbe", "livenessProbe"):
            container.get(probe, {}).pop("terminationGracePeriodSeconds", None)
        if "startupProbe" in container:
            container["startupProbe"]["failureThreshold"] += _MARGIN_SECONDS
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "namespace": release.environment.cluster.namespace,
            "labels": label.pod_labels(release) | labels(release),
            "annotations": release.environment.pods.annotations | mounts.smoke_annotations(release),
        },
        "spec": spec
        | {
            "restartPolicy": "Never",
            "activeDeadlineSeconds": deadline(release),
            "terminationGracePeriodSeconds": _END_SECONDS,
            **mounts.smoke_volumes(release),
        },
    }


def labels(release: Release) -> dict[str, str]:
    """Labels that no Service selects."""
    return {
        label.SMOKE_TEST_OF: release.name,
        "app.kubernetes.io/part-of": label.PART_OF,
        label.MANAGED_BY: label.MANAGER,
    }


def test_seconds(release: Release) -> int:
    """Seconds from the start of the container within which there is a verdict."""
    manifest = release.manifest
    return manifest.startup + manifest.smoke_test.timeout_seconds + 60


def deadline(release: Release) -> int:
    """Seconds after which Kubernetes ends the pod."""
    return release.environment.cluster.pending_seconds + test_seconds(release)
