"""The pod of a smoke test: the service's container and a prober container that calls it.

Both containers run the same digest, so no other image is needed. The service is no native sidecar,
because the prober would then start only at the kubelet's next sync, up to a second later.
"""

from __future__ import annotations

import json
from typing import Any

from manifest_engine.domain.pod import mounts, placement
from manifest_engine.domain.release import labels as label
from manifest_engine.domain.release.release import Release
from manifest_engine.domain.workload import pod

PROBER = "prober"
START_SECONDS = 300
"""Seconds for scheduling, image pull and container start, before the service's own startup time."""


def smoke_pod(release: Release, digest: str, script: str) -> dict[str, Any]:
    """The pod, without a name. The prober writes its verdict to its log and termination message.

    :param script: source of ``operators/smoke/prober.py``.
    """
    manifest = release.manifest
    request = {
        "digest": digest,
        "runId": release.run_id,
        "port": manifest.port,
        "path": manifest.smoke_path or manifest.health_path,
        "expectStatus": manifest.smoke_test.expect_status or 200,
        "expectBody": manifest.smoke_test.expect_body,
        "timeoutSeconds": manifest.startup,
    }
    # No probes: the prober calls the service as soon as the prober runs, and then every 50 ms.
    service = pod.container(release, digest)
    prober = {
        "name": PROBER,
        "image": release.image_at(digest),
        "imagePullPolicy": "IfNotPresent",
        # -I -S ignores the image's Python settings and packages; the standard library is enough.
        "command": ["python3", "-I", "-S", "-c", script, json.dumps(request)],
        # The namespace may demand more than a prober needs, by a LimitRange.
        "resources": service["resources"],
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "securityContext": placement.security(release),
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "namespace": release.environment.cluster.namespace,
            "labels": label.pod_labels(release) | labels(release),
            "annotations": release.environment.pods.annotations | mounts.smoke_annotations(release),
        },
        "spec": {
            "containers": [prober, service],  # the pod operator's base container is the first one
            "restartPolicy": "Never",
            "activeDeadlineSeconds": deadline(release),
            "terminationGracePeriodSeconds": 1,
            **placement.placement(release),
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


def deadline(release: Release) -> int:
    """Seconds after which Kubernetes ends the pod."""
    return START_SECONDS + release.manifest.startup + 30
