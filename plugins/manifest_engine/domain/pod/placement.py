"""Where and as whom a pod runs, by the environment and, within its limits, by the manifest."""

from __future__ import annotations

from typing import Any

from manifest_engine.domain.environment.builds import ARCHITECTURE
from manifest_engine.domain.release import labels as label
from manifest_engine.domain.release.release import Release


def placement(release: Release) -> dict[str, Any]:
    """The part of the spec that the pods of a service and its smoke pod have in common."""
    cluster, pods = release.environment.cluster, release.environment.pods
    spec: dict[str, Any] = {
        "securityContext": _pod_security(release),
        # Each Service of the namespace would add seven environment variables.
        "enableServiceLinks": False,
        # The service must not be PID 1. PID 1 ignores SIGTERM unless it handles the signal;
        # `flask run` does not, so every stop would take the whole grace period.
        "shareProcessNamespace": not release.manifest.security.pid1,
    }
    if account := release.manifest.service_account or cluster.service_account:
        spec["serviceAccountName"] = account
    else:
        spec["automountServiceAccountToken"] = False
    if cluster.image_pull_secrets:
        spec["imagePullSecrets"] = [{"name": name} for name in cluster.image_pull_secrets]
    selector = dict(cluster.node_selector)
    if release.platform:
        selector[ARCHITECTURE] = release.platform.removeprefix("linux/")
    if selector:
        spec["nodeSelector"] = selector
    if pods.tolerations:
        spec["tolerations"] = [
            item.model_dump(mode="json", by_alias=True, exclude_none=True)
            for item in pods.tolerations
        ]
    if pods.priority_class:
        spec["priorityClassName"] = pods.priority_class
    return spec


def spread(release: Release) -> dict[str, Any]:
    """Spread the replicas over nodes and zones, as far as nodes have room.

    ``pod-template-hash`` counts the pods of one release alone: during a rollout, the pods of the
    former release would otherwise push the new ones together.
    """
    constraints = [
        {
            "maxSkew": 1,
            "topologyKey": key,
            "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": {"matchLabels": label.match_labels(release)},
            "matchLabelKeys": ["pod-template-hash"],
        }
        for key in release.environment.pods.topology_spread
    ]
    return {"topologySpreadConstraints": constraints} if constraints else {}


def security(release: Release) -> dict[str, Any]:
    """Security context of a container.

    Root is allowed by default, since most images run as root, but without any capability.
    """
    asked = release.manifest.security
    capabilities: dict[str, Any] = {"drop": ["ALL"]}
    if asked.capabilities:
        capabilities["add"] = sorted(set(asked.capabilities))
    return {"allowPrivilegeEscalation": False, "capabilities": capabilities}


def _pod_security(release: Release) -> dict[str, Any]:
    context: dict[str, Any] = {"seccompProfile": {"type": "RuntimeDefault"}}
    if release.manifest.security.run_as_root:
        context["runAsUser"] = 0
    elif release.non_root:
        context["runAsNonRoot"] = True
    return context
