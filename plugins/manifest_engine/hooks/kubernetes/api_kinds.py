"""A fixed list of the kinds of API objects that we use.

Without the list, the dynamic client would ask the API server for its groups and kinds (0.7 s, a
dozen requests) or cache the answer in a file that several processes write.
"""

from __future__ import annotations

from typing import Any

PLURALS = {
    ("v1", "ConfigMap"): "configmaps",
    ("v1", "Event"): "events",
    ("v1", "Namespace"): "namespaces",
    ("v1", "Pod"): "pods",
    ("v1", "Secret"): "secrets",
    ("v1", "Service"): "services",
    ("apps/v1", "Deployment"): "deployments",
    ("apps/v1", "ReplicaSet"): "replicasets",
    ("authentication.k8s.io/v1", "SelfSubjectReview"): "selfsubjectreviews",
    ("authorization.k8s.io/v1", "SelfSubjectAccessReview"): "selfsubjectaccessreviews",
    ("autoscaling/v2", "HorizontalPodAutoscaler"): "horizontalpodautoscalers",
    ("coordination.k8s.io/v1", "Lease"): "leases",
    ("gateway.networking.k8s.io/v1", "Gateway"): "gateways",
    ("gateway.networking.k8s.io/v1", "HTTPRoute"): "httproutes",
    ("networking.k8s.io/v1", "Ingress"): "ingresses",
    ("networking.k8s.io/v1", "IngressClass"): "ingressclasses",
    ("policy/v1", "PodDisruptionBudget"): "poddisruptionbudgets",
}


class KnownKinds:
    """A discoverer for :class:`kubernetes.dynamic.DynamicClient` that sends no request."""

    def __init__(self, client: Any, cache_file: str | None = None) -> None:
        from kubernetes.dynamic.resource import Resource

        self._resources = {}
        for (api_version, kind), plural in PLURALS.items():
            group, _, version = api_version.rpartition("/")
            self._resources[api_version, kind] = Resource(
                prefix="apis" if group else "api",
                group=group,
                api_version=version,
                kind=kind,
                namespaced=True,
                name=plural,
                client=client,
            )

    def get(self, *, api_version: str, kind: str) -> Any:
        """The resource. Raises KeyError for a kind that is not in :data:`PLURALS`."""
        return self._resources[api_version, kind]


def rbac_name(api_version: str, kind: str) -> str:
    """The name in RBAC and in errors, such as ``deployments.apps``."""
    group = api_version.rpartition("/")[0]
    plural = PLURALS[api_version, kind]
    return f"{plural}.{group}" if group else plural
