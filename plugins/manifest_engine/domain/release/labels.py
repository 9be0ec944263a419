"""Labels of our objects in the cluster: Kubernetes' recommended set, and ours.

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
"""On smoke pods, instead of the labels that the Service selects by: they must get no traffic."""


def release_labels(release: Release) -> dict[str, str]:
    """The labels of every object of a release."""
    return {
        **match_labels(release),
        INSTANCE: release.name,
        VERSION: release.manifest.version,
        _APP + "part-of": PART_OF,
        MANAGED_BY: MANAGER,
    }


def match_labels(release: Release) -> dict[str, str]:
    """What Deployment and Service select pods by. Immutable, so nothing that ever changes."""
    return {
        NAME: release.manifest.service_name,
        COMPONENT: release.manifest.component,
    }


def label_selector(wanted: Mapping[str, str]) -> str:
    """In the form that the API takes."""
    return ",".join(f"{key}={value}" for key, value in sorted(wanted.items()))


def is_ours(an_object: Mapping[str, Any]) -> bool:
    """Whether a release put it there."""
    metadata = an_object.get("metadata") or {}
    return (metadata.get("labels") or {}).get(MANAGED_BY) == MANAGER
