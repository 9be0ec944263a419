"""The deployed services, read from the records in the cluster. Rebuilds are planned from them."""

from __future__ import annotations

import json
from collections.abc import Container, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from manifest_engine.domain.image import base_images
from manifest_engine.domain.manifest.manifest import Manifest
from manifest_engine.domain.rebuild.table import FAILED, SKIPPED, Row
from manifest_engine.domain.release import annotations as annotation
from manifest_engine.domain.release import history, provenance
from manifest_engine.domain.release import labels as label
from manifest_engine.domain.release.provenance import Provenance


@dataclass(frozen=True)
class Deployed:
    """A deployed service, as its Deployment records it."""

    manifest: Manifest
    recorded: Mapping[str, Any]
    digest: str
    release_hash: str
    artifact_sha256: str | None
    provenance: Provenance | None
    rolled_back_from: Provenance | None = None

    @property
    def bases(self) -> list[str]:
        """Base images whose tags may have moved."""
        return sorted({*unpinned_bases(self.provenance), *unpinned_bases(self.rolled_back_from)})


@dataclass(frozen=True)
class Selection:
    """The services that a run covers; None means all."""

    environment: str | None = None
    component: str | None = None
    service_name: str | None = None
    force: bool = False

    @property
    def insists(self) -> bool:
        """Whether a person names one service and forces its rebuild.

        Such a run does not heed the service's opt-out and the order of the environments.
        """
        return self.force and self.component is not None and self.service_name is not None

    def covers(self, deployment: Mapping[str, Any]) -> bool:
        """Whether the labels of the Deployment match the selected component and service name."""
        labels = deployment["metadata"].get("labels") or {}
        selected = {label.COMPONENT: self.component, label.NAME: self.service_name}
        return all(value is None or labels.get(key) == value for key, value in selected.items())


def read(
    deployment: Mapping[str, Any], environment: str, configured: Container[str]
) -> Deployed | Row | None:
    """Read a Deployment's record; a table row if the service cannot be rebuilt.

    None if the Deployment belongs to another environment that shares the namespace.

    :param configured: names of all environments.
    """
    annotations = annotation.read_annotations(deployment)
    name = deployment["metadata"]["name"]
    try:
        recorded = json.loads(annotations[annotation.MANIFEST])
        where = recorded.get("environment", environment)
        digest, release_hash = annotations[annotation.DIGEST], annotations[annotation.RELEASE_HASH]
    except (KeyError, ValueError, AttributeError):
        return Row(name, environment, SKIPPED, "The Deployment has no recorded release.")
    if where != environment and where in configured:
        return None
    if where != environment:
        text = (
            f"It was deployed to the environment {where!r}, which is no longer configured; "
            "deploy it again, or remove it."
        )
        return Row(name, where, FAILED, text)
    if deployment["metadata"].get("deletionTimestamp"):
        return Row(name, environment, SKIPPED, "It is being removed.")
    if not history.is_complete(deployment):
        return Row(name, environment, SKIPPED, "Its rollout is in progress or has failed.")
    try:
        manifest = Manifest.model_validate(recorded)
    except ValidationError as error:
        text = (
            f"The recorded manifest is no longer valid ({error.error_count()} problems); "
            "deploy the service by deploy_service."
        )
        return Row(name, environment, FAILED, text)
    return Deployed(
        manifest,
        recorded,
        digest,
        release_hash,
        annotations.get(annotation.ARTIFACT_SHA256),
        provenance.read(annotations.get(annotation.BUILT_FROM)),
        provenance.read(annotations.get(annotation.ROLLED_BACK_FROM)),
    )


def unpinned_bases(record: Provenance | None) -> list[str]:
    """Base images that a Dockerfile names by tag."""
    bases = record.bases if record else {}
    return sorted(base for base in bases if not base_images.is_pinned(base))
