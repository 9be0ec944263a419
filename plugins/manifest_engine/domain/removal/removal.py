"""Remove a service from an environment: the request, the plan and the objects to delete."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pydantic import ConfigDict, Field

from manifest_engine.domain.core import names
from manifest_engine.domain.core.errors import ManifestError, NothingHandedOver
from manifest_engine.domain.core.model import Model
from manifest_engine.domain.environment import environments
from manifest_engine.domain.environment.environment import Environment
from manifest_engine.domain.manifest import run_conf
from manifest_engine.domain.release import labels as label
from manifest_engine.domain.release.request import ServiceRequest
from manifest_engine.domain.route import routes

_DNS_LABEL = re.compile(names.DNS_LABEL)
_KINDS = (
    ("apps/v1", "Deployment"),
    ("v1", "Service"),
    ("policy/v1", "PodDisruptionBudget"),
    ("autoscaling/v2", "HorizontalPodAutoscaler"),
)
"""API version and kind of a release's objects, in the order in which they are applied."""


class Request(ServiceRequest):
    """The run conf of ``remove_service``."""

    confirm: str = Field(
        max_length=2 * names.LABEL_MAX + 1,
        title="Confirm",
        description="Type `{component}-{serviceName}`, the name of the service to remove.",
    )


class Removal(Model):
    """The plan that ``validate_removal`` makes and later steps carry out."""

    model_config = ConfigDict(validate_by_name=True)

    name: str
    """Name of the Kubernetes objects."""
    service_name: str
    component: str
    environment_name: str
    environment: Environment
    run_id: str
    requested_at: datetime
    requested_by: str

    @property
    def url(self) -> str:
        """The public URL of the service."""
        path = names.route_path(self.component, self.service_name)
        return self.environment.routing.url + path


def parse(conf: Mapping[str, Any]) -> Request:
    """Read the run conf and check the confirmation.

    :raises ManifestError: naming the wrong field, or the text to type.
    """
    asked = run_conf.parse(Request, conf, "request")
    for field, text in (("component", asked.component), ("serviceName", asked.service_name)):
        if not _DNS_LABEL.fullmatch(text):
            nearest = names.suggest_dns_label(text)
            hint = f"; did you mean {nearest!r}?" if nearest else "."
            raise ManifestError(f"{field} {text!r} cannot be the name of a service{hint}")
    name = asked.object_name
    if asked.confirm != name:
        raise ManifestError(
            f"Nothing was removed: to remove {name} from {asked.environment}, type {name!r} into "
            f"confirm; it says {asked.confirm!r}."
        )
    return asked


def plan(
    asked: Request,
    configured: Mapping[str, Environment],
    *,
    run_id: str,
    requested_at: datetime,
    requested_by: str,
) -> Removal:
    """Plan a removal.

    :raises ManifestError: when the environment is not configured.
    """
    return Removal(
        name=asked.object_name,
        service_name=asked.service_name,
        component=asked.component,
        environment_name=asked.environment,
        environment=environments.find(asked.environment, dict(configured)),
        run_id=run_id,
        requested_at=requested_at,
        requested_by=requested_by,
    )


def load(data: Any) -> Removal:
    """Read a removal from XCom.

    :raises NothingHandedOver: when ``validate_removal`` returned no removal.
    """
    if not data:
        raise NothingHandedOver("removal", "validate_removal")
    return Removal.model_validate(data, strict=False)


def route(removal: Removal) -> dict[str, Any]:
    """Identity of the object that makes the service public."""
    return _identity(removal, *routes.KINDS[removal.environment.routing.api])


def workload(removal: Removal) -> list[dict[str, Any]]:
    """Identities of all objects, besides the route, that a release of the service can have."""
    return [_identity(removal, api_version, kind) for api_version, kind in _KINDS]


def pod_labels(removal: Removal) -> dict[str, str]:
    """Labels of the pods of every release of the service. Its smoke pods do not have them."""
    return {label.INSTANCE: removal.name, label.MANAGED_BY: label.MANAGER}


def pods_still_running(removal: Removal, pods: list[dict[str, Any]], seconds: float) -> str:
    """A sentence on pods that still exist ``seconds`` after the removal."""
    names = ", ".join(
        f"{pod['metadata']['name']} on {pod['spec'].get('nodeName', 'no node')}" for pod in pods
    )
    return (
        f"{removal.name} is removed, but pods of it have not ended {seconds:.0f} s later: {names}. "
        "A node that does not answer keeps its pods, and so does a finalizer: see 'kubectl get "
        "nodes' and 'kubectl describe pod', and remove the service once more afterwards."
    )


def _identity(removal: Removal, api_version: str, kind: str) -> dict[str, Any]:
    metadata = {"name": removal.name, "namespace": removal.environment.cluster.namespace}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata}
