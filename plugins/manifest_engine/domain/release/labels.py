"""Labels of our objects in the cluster: Kubernetes' recommended labels and our own.

Source: https://kubernetes.io/docs/concepts/overview/working-with-objects/common-labels/
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from manifest_engine.domain.release.release import Release

MANAGER = "manifest-engine"
"""Our field manager in server-side apply, and the value of ``app.kubernetes.io/managed-by``."""
PART_OF = "datafactory"
_APP = "app.kubernetes.io/"
PREFIX = "manifest-engine.io/"
NAME = _APP + "name"
COMPONENT = _APP + "component"
MANAGED_BY = _APP + "managed-by"
INSTANCE = _APP + "instance"
VERSION = _APP + "version"
SMOKE_TEST_OF = PREFIX + "smoke-test-of"
"""On smoke pods, in place of the labels that the Service selects: smoke pods get no traffic."""


WORKLOAD_IDENTITY = "azure.workload.identity/use"
"""Makes the webhook of AKS workload identity project a token into the pod. Source:
https://azure.github.io/azure-workload-identity/docs/topics/service-account-labels-and-annotations.html
"""


def release_labels(release: Release) -> dict[str, str]:
    """Labels of every object of a release."""
    return {
        **release.manifest.labels,
        **match_labels(release),
        INSTANCE: release.name,
        VERSION: release.manifest.version,
        _APP + "part-of": PART_OF,
        MANAGED_BY: MANAGER,
    }


def pod_labels(release: Release) -> dict[str, str]:
    """Labels that the environment and the manifest give to pods, without those of our selectors."""
    identity = {WORKLOAD_IDENTITY: "true"} if release.manifest.service_account else {}
    return {**release.environment.pods.labels, **release.manifest.labels, **identity}


def match_labels(release: Release) -> dict[str, str]:
    """Labels by which Deployment and Service select pods. A Deployment's selector is immutable,
    so these labels must not depend on the release."""
    return {
        NAME: release.manifest.service_name,
        COMPONENT: release.manifest.component,
    }


def label_selector(labels: Mapping[str, str]) -> str:
    """Labels as a ``labelSelector`` query parameter of the API."""
    return ",".join(f"{key}={value}" for key, value in sorted(labels.items()))


def is_ours(an_object: Mapping[str, Any]) -> bool:
    """Whether Manifest Engine created the object."""
    metadata = an_object.get("metadata") or {}
    return (metadata.get("labels") or {}).get(MANAGED_BY) == MANAGER
