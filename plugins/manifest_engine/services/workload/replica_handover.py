"""Who owns ``replicas`` of a Deployment while it goes from a fixed number to an autoscaler.

In server-side apply a field that nobody owns any more falls back to its default, here 1.
"""

from __future__ import annotations

from manifest_engine.domain.release import labels as label
from manifest_engine.hooks.kubernetes.api_server import Json
from manifest_engine.hooks.kubernetes.cluster import ClusterHook

SEEDER = "manifest-engine-autoscale"
"""Owns ``replicas`` on behalf of the autoscaler, until that sets it for the first time."""
SCALERS = frozenset({SEEDER, "kube-controller-manager"})
REPLICAS = ".spec.replicas"


def is_scaler(an_object: Json) -> bool:
    """Whether it sets ``replicas`` of the Deployment that it is for."""
    return bool(an_object["kind"] == "HorizontalPodAutoscaler")


def hand_over(hook: ClusterHook, wanted: Json, live: Json | None) -> None:
    """Before a Deployment is applied that leaves ``replicas`` out: keep the live number.

    :param wanted: the Deployment to be applied.
    """
    if live is not None and "replicas" not in wanted["spec"] and _owns_replicas(live):
        _seed(hook, wanted, int(live["spec"]["replicas"]))


def seed_first(hook: ClusterHook, objects: list[Json]) -> None:
    """After the first release of a service was applied: the autoscaler's least, if it has one."""
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
