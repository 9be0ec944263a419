"""Hands ``replicas`` of a Deployment from a fixed number over to an autoscaler.

Server-side apply resets a field without an owner to its default, which is 1 for ``replicas``.
"""

from __future__ import annotations

from manifest_engine.domain.release import labels as label
from manifest_engine.hooks.kubernetes.api_server import Json
from manifest_engine.hooks.kubernetes.cluster import ClusterHook

SEEDER = "manifest-engine-autoscale"
"""Field manager that owns ``replicas`` until the autoscaler sets the field."""
SCALERS = frozenset({SEEDER, "kube-controller-manager"})
REPLICAS = ".spec.replicas"


def is_scaler(an_object: Json) -> bool:
    """Whether the object is an autoscaler."""
    return bool(an_object["kind"] == "HorizontalPodAutoscaler")


def hand_over(hook: ClusterHook, desired: Json, live: Json | None) -> None:
    """Keep the live number of replicas before a Deployment without ``replicas`` is applied.

    :param desired: the Deployment to be applied.
    """
    if live is not None and "replicas" not in desired["spec"] and _owns_replicas(live):
        _seed(hook, desired, int(live["spec"]["replicas"]))


def seed_first(hook: ClusterHook, objects: list[Json]) -> None:
    """Set ``replicas`` after the first release: the autoscaler's minimum, else 1."""
    if "replicas" not in objects[0]["spec"]:
        scalers = [item for item in objects if is_scaler(item)]
        _seed(hook, objects[0], int(scalers[0]["spec"]["minReplicas"]) if scalers else 1)


def _seed(hook: ClusterHook, deployment: Json, count: int) -> None:
    metadata = deployment["metadata"]
    seed = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": metadata["name"], "namespace": metadata["namespace"]},
        "spec": {"replicas": count},
    }
    hook.apply(seed, force=True, manager=SEEDER)


def _owns_replicas(live: Json) -> bool:
    return any(
        entry.get("manager") == label.MANAGER
        and "f:replicas" in ((entry.get("fieldsV1") or {}).get("f:spec") or {})
        for entry in live["metadata"].get("managedFields") or []
    )
