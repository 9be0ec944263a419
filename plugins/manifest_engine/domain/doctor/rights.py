"""The rights of ``include/rbac.yaml`` as questions to the API server, and what is missing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from manifest_engine.domain.environment.environment import Environment
from manifest_engine.domain.route import routes

NAMESPACED = "manifest-engine"
"""The ClusterRole that is bound in each namespace of an environment."""
CLUSTER_WIDE = "manifest-engine-routes"
_OPTIONAL = frozenset({"events", "namespaces", "secrets"})
"""Nothing fails without them: they add detail to the report of a failure, report it earlier, or
let a redeploy notice a changed Secret."""
_ROUTE_RESOURCES = {"HTTPRoute": "httproutes", "Ingress": "ingresses"}


@dataclass(frozen=True)
class Right:
    """One verb on one resource."""

    verb: str
    group: str
    resource: str
    """With its subresource, if any: ``pods/log``."""
    namespace: str
    """Empty for all namespaces."""
    required: bool

    def __str__(self) -> str:
        return f"{self.verb} {self.resource}{f'.{self.group}' if self.group else ''}"

    def review(self) -> dict[str, Any]:
        """The SelfSubjectAccessReview that asks for this right."""
        resource, _, subresource = self.resource.partition("/")
        attributes = {
            "verb": self.verb,
            "group": self.group,
            "resource": resource,
            "subresource": subresource,
            "namespace": self.namespace,
        }
        given = {key: value for key, value in attributes.items() if value}
        return {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": given},
        }


def of_roles(
    roles: Iterable[Mapping[str, Any]], environment: Environment
) -> dict[str, list[Right]]:
    """The rights of each role, by the role's name.

    A right on the other kind of route, an optional and a cluster-wide right are not required.

    :param roles: the documents of ``include/rbac.yaml``.
    """
    own = _ROUTE_RESOURCES[routes.KINDS[environment.routing.api][1]]
    unused = {*_ROUTE_RESOURCES.values(), *_OPTIONAL} - {own}
    found: dict[str, list[Right]] = {}
    for role in roles:
        name = role["metadata"]["name"]
        for rule in role["rules"]:
            for resource in rule["resources"]:
                found.setdefault(name, []).extend(
                    Right(
                        verb,
                        rule["apiGroups"][0],
                        resource,
                        environment.cluster.namespace
                        if name == NAMESPACED
                        else _gateway_namespace(resource, environment),
                        name == NAMESPACED and resource not in unused,
                    )
                    for verb in rule["verbs"]
                )
    return found


def remedy(role: str, missing: Iterable[Right], user: str, namespace: str) -> str:
    """The sentence on missing rights of one role.

    :param user: our name at the API server.
    """
    listed = ", ".join(map(str, missing))
    if role == NAMESPACED:
        return (
            f"{user} may not {listed} in namespace {namespace!r}; run 'kubectl apply -f "
            f"include/rbac.yaml' and 'kubectl create rolebinding {role} -n {namespace} "
            f"--clusterrole={role} --user={user}'."
        )
    return (
        f"{user} may not {listed} in all namespaces, so the owner of a path in another namespace "
        "or the problem of a Gateway is not found; run 'kubectl apply -f include/rbac.yaml' and "
        f"'kubectl create clusterrolebinding {role} --clusterrole={role} --user={user}'."
    )


def _gateway_namespace(resource: str, environment: Environment) -> str:
    gateway = environment.routing.gateway
    return gateway.namespace if resource == "gateways" and gateway else ""
