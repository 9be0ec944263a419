"""The pod of a smoke test: the service, and a prober beside it that calls it.

Both run the same digest, so that no further image is needed. They are ordinary containers: behind
a native sidecar, the prober would start only after the kubelet's next look at its containers, which
it takes once a second.
"""

from __future__ import annotations

import json
from typing import Any

from manifest_engine.domain.release import labels as label
from manifest_engine.domain.release.release import Release
from manifest_engine.domain.workload import pod

PROBER = "prober"
START_SECONDS = 300
"""For a node, the image and the container's start, before the service's own time begins."""
_PROBER_RESOURCES = {
    "requests": {"cpu": "10m", "memory": "32Mi"},
    "limits": {"cpu": "500m", "memory": "128Mi"},
}


def smoke_pod(release: Release, digest: str, script: str) -> dict[str, Any]:
    """The pod without a name; its prober writes the verdict to its log and leaves it as its
    termination message.

    :param script: source of ``operators/smoke/prober.py``.
    """
    manifest = release.manifest
    asked = {
        "digest": digest,
        "runId": release.run_id,
        "port": manifest.port,
        "path": manifest.smoke_path,
        "expectStatus": manifest.smoke_test.expect_status,
        "expectBody": manifest.smoke_test.expect_body,
        "timeoutSeconds": manifest.smoke_test.timeout_seconds,
    }
    # No startup probe: the prober asks as soon as it runs, and again every 50 ms.
    service = pod.container(release, digest)
    prober = {
        "name": PROBER,
        "image": release.image_at(digest),
        "imagePullPolicy": "IfNotPresent",
        # Isolated from what the image sets for Python: the standard library is enough.
        "command": ["python3", "-I", "-S", "-c", script, json.dumps(asked)],
        "resources": _PROBER_RESOURCES,
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "securityContext": pod.security(),
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "namespace": release.environment.cluster.namespace,
            "labels": labels(release),
        },
        "spec": {
            "containers": [prober, service],  # the pod operator knows its own as the first one
            "restartPolicy": "Never",
            "activeDeadlineSeconds": deadline(release),
            "terminationGracePeriodSeconds": 1,
            "shareProcessNamespace": True,
            **pod.placement(release),
        },
    }


def labels(release: Release) -> dict[str, str]:
    """Labels that neither the Service nor another service's Service selects."""
    return {
        label.SMOKE_TEST_OF: release.name,
        "app.kubernetes.io/part-of": label.PART_OF,
        label.MANAGED_BY: label.MANAGER,
    }


def deadline(release: Release) -> int:
    """Seconds after which Kubernetes ends the pod by itself."""
    return START_SECONDS + release.manifest.smoke_test.timeout_seconds + 30
