"""The Kubernetes objects of a release. ``domain.route.routes`` makes its route."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from manifest_engine.domain.core.errors import ManifestError
from manifest_engine.domain.environment.amounts import quantity
from manifest_engine.domain.manifest import run_conf
from manifest_engine.domain.pod import mounts
from manifest_engine.domain.release import annotations as annotation
from manifest_engine.domain.release import history
from manifest_engine.domain.release import labels as label
from manifest_engine.domain.release.provenance import annotation_value
from manifest_engine.domain.release.release import Release
from manifest_engine.domain.workload.pod import grace_seconds, pod_metadata, pod_spec

SERVICE_PORT = 80
_FEW = 3
"""Replicas that a rollout starts all at once; see ``_surge``."""
_PER_REPLICA_SECONDS = 60
"""Pods of a large rollout replace each other one after the other."""
HISTORY_LIMIT = 5
"""Old ReplicaSets that are kept, each of which records one release."""
_ANY_DIGEST = "sha256:" + "0" * 64
"""A placeholder with the length of a digest, for an image that is not built yet."""


def workload(
    release: Release,
    digest: str,
    artifact: Mapping[str, Any],
    provenance: Mapping[str, Any] | None = None,
    *,
    rolled_back_from: Mapping[str, Any] | None = None,
    pod_annotations: Mapping[str, str] | None = None,
) -> list[dict[str, Any]]:
    """Deployment, Service and, where they apply, PodDisruptionBudget, autoscaler and files.

    The Deployment is the first object. Its annotations record the release, the run, a hash of all
    objects, and the packed objects for a later rollback.

    :param digest: image digest, ``sha256:<hex>``.
    :param artifact: result of ``download_artifact``; its ``sha256`` is recorded.
    :param provenance: provenance of the image, if known; recorded.
    :param rolled_back_from: provenance of the image that a rollback replaces; recorded.
    :param pod_annotations: annotations of the pod template (``domain.workload.pod_inputs``).
    :raises ManifestError: when the manifest is too large to be recorded.
    """
    deployment = _deployment(release, digest)
    deployment["spec"]["template"]["metadata"] = pod_metadata(release, pod_annotations or {})
    deployment["metadata"]["annotations"] = annotation.of_release(release, digest, artifact)
    objects = [deployment, _service(release)]
    if min_replicas(release) > 1:
        objects.append(_disruption_budget(release))
    if release.manifest.autoscale:
        objects.append(_autoscaler(release))
    if release.manifest.files:
        objects.append(_config_map(release))
    written = deployment["metadata"]["annotations"]
    written[annotation.RELEASE_HASH] = annotation.release_hash(objects)
    written.update(annotation.of_run(release))
    if provenance:
        written[annotation.BUILT_FROM] = annotation_value(provenance)
    if rolled_back_from:
        written[annotation.ROLLED_BACK_FROM] = annotation_value(rolled_back_from)
    return history.with_record(objects)


def require_recordable(release: Release) -> None:
    """Check that a Deployment's annotations have room for two releases of this size.

    :raises ManifestError: naming the largest field and the limit.
    """
    written = annotation.read_annotations(workload(release, _ANY_DIGEST, {"sha256": "0" * 64})[0])
    size = len(written[annotation.OBJECTS])
    if size > annotation.OBJECTS_MAX:
        raise ManifestError(
            f"The manifest is too large to be recorded: its Kubernetes objects take {size} bytes "
            f"packed, and at most {annotation.OBJECTS_MAX} are taken, so that two releases fit in "
            f"the {annotation.TOTAL_ANNOTATIONS_MAX} bytes of annotations that Kubernetes takes. "
            f"{run_conf.advice(annotation.manifest(release))}"
        )


def min_replicas(release: Release) -> int:
    """The lowest number of pods."""
    autoscale = release.manifest.autoscale
    return autoscale.min_replicas if autoscale else release.manifest.replicas


def progress_deadline(release: Release) -> int:
    """Seconds without progress after which a rollout counts as failed.

    The time that the environment allows for a node and the image, or the time in which old pods end
    and make room, and twice the startup time that the manifest allows. A service that uses up its
    startup time is found sooner, by its restarts.
    """
    cluster = release.environment.cluster
    room = max(cluster.pending_seconds, grace_seconds(release))
    return room + 2 * release.manifest.startup + cluster.min_ready_seconds


def rollout_seconds(release: Release, deployment: Mapping[str, Any]) -> int:
    """Seconds that a whole rollout may take.

    :param deployment: the applied Deployment; an autoscaler may have raised its replicas.
    """
    pods = max(min_replicas(release), int(deployment["spec"].get("replicas") or 0))
    return progress_deadline(release) + max(_PER_REPLICA_SECONDS, grace_seconds(release)) * pods


def key(an_object: Mapping[str, Any]) -> tuple[str, str, str]:
    """API version, kind and name of an object."""
    return an_object["apiVersion"], an_object["kind"], an_object["metadata"]["name"]


def metadata(release: Release) -> dict[str, Any]:
    """Metadata of each object of a release."""
    return {
        "name": release.name,
        "namespace": release.environment.cluster.namespace,
        "labels": label.release_labels(release),
    }


def _deployment(release: Release, digest: str) -> dict[str, Any]:
    spec: dict[str, Any] = {
        "revisionHistoryLimit": HISTORY_LIMIT,
        "progressDeadlineSeconds": progress_deadline(release),
        "selector": {"matchLabels": label.match_labels(release)},
        "strategy": {
            "type": "RollingUpdate",
            "rollingUpdate": {"maxUnavailable": 0, "maxSurge": _surge(release)},
        },
        "template": {
            "spec": pod_spec(release, digest),
        },
    }
    if min_ready := release.environment.cluster.min_ready_seconds:
        spec["minReadySeconds"] = min_ready
    if release.manifest.autoscale is None:
        spec["replicas"] = release.manifest.replicas
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": metadata(release),
        "spec": spec,
    }


def _surge(release: Release) -> str:
    """Start a few pods all at once (2 replicas: 2.5 s instead of 4 s), many by a quarter at a time.

    If quota or nodes do not suffice for all, Kubernetes starts those that fit first.
    """
    few = release.manifest.autoscale is None and release.manifest.replicas <= _FEW
    return "100%" if few else "25%"


def _service(release: Release) -> dict[str, Any]:
    port = {"name": "http", "port": SERVICE_PORT, "targetPort": "http", "protocol": "TCP"}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata(release),
        "spec": {"type": "ClusterIP", "selector": label.match_labels(release), "ports": [port]},
    }


def _config_map(release: Release) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata(release) | {"name": mounts.files_name(release)},
        "immutable": True,
        "data": mounts.files_data(release),
    }


def _disruption_budget(release: Release) -> dict[str, Any]:
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": metadata(release),
        "spec": {
            "maxUnavailable": 1,
            "selector": {"matchLabels": label.match_labels(release)},
            # A pod that is not ready must not block the drain of a node.
            "unhealthyPodEvictionPolicy": "AlwaysAllow",
        },
    }


def _autoscaler(release: Release) -> dict[str, Any]:
    autoscale = release.manifest.autoscale
    assert autoscale is not None  # noqa: S101
    if autoscale.target_cpu_percent:
        target = {"type": "Utilization", "averageUtilization": autoscale.target_cpu_percent}
    else:
        # Utilization counts from the request, and 70 percent of the default request is 35
        # millicores, which a service reaches by its probes.
        limits = release.resources.limits
        assert limits is not None  # noqa: S101  (all amounts have defaults)
        assert limits.cpu is not None  # noqa: S101
        cores = quantity(limits.cpu)
        target = {"type": "AverageValue", "averageValue": f"{max(1, int(cores * 700))}m"}
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": metadata(release),
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": release.name},
            "minReplicas": autoscale.min_replicas,
            "maxReplicas": autoscale.max_replicas,
            "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": target}}],
        },
    }
