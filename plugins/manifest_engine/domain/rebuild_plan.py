"""Which of the deployed services are to be rebuilt: decided from what the cluster has on record.

Nothing here asks anybody: one list of Deployments per environment and the present digest of each
base image decide, so that a service that has not changed costs nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from pydantic import ValidationError

from manifest_engine.domain import base_images, built_from, history, marks, recipe
from manifest_engine.domain.base_images import Current
from manifest_engine.domain.built_from import BuiltFrom
from manifest_engine.domain.manifest import Manifest
from manifest_engine.domain.manifest_sections import Rebuild
from manifest_engine.domain.rebuild_table import FAILED, SKIPPED, UNCHANGED, Row

_SHOWN = len("sha256:") + 12


@dataclass(frozen=True)
class Deployed:
    """A service as its Deployment tells of it."""

    manifest: Manifest
    recorded: Mapping[str, Any]
    digest: str
    release_hash: str
    artifact_sha256: str | None
    built_from: BuiltFrom | None
    rolled_back_from: BuiltFrom | None = None

    @property
    def bases(self) -> list[str]:
        """Base images whose tags may have moved."""
        records = (self.built_from, self.rolled_back_from)
        known = {name for record in records if record for name in record.bases}
        return sorted(name for name in known if not base_images.is_pinned(name))


@dataclass(frozen=True)
class Planned:
    """A service to rebuild: why, and the conf of its ``deploy_service``."""

    row: Row
    conf: dict[str, Any]


@dataclass(frozen=True)
class Wanted:
    """What a run is about; None is all."""

    environment: str | None = None
    component: str | None = None
    service_name: str | None = None
    force: bool = False

    def covers(self, deployment: Mapping[str, Any]) -> bool:
        """By the labels of the Deployment, which are the manifest's."""
        labels = deployment["metadata"].get("labels") or {}
        asked = {marks.COMPONENT: self.component, marks.NAME: self.service_name}
        return all(value is None or labels.get(key) == value for key, value in asked.items())


def read(deployment: Mapping[str, Any], environment: str) -> Deployed | Row | None:
    """What is on record of a Deployment; a row where nothing can be done with it.

    None where it belongs to another environment, which shares the namespace.
    """
    notes = marks.noted(deployment)
    name = deployment["metadata"]["name"]
    try:
        recorded = json.loads(notes[marks.MANIFEST])
        where = recorded.get("environment", environment)
        digest, release_hash = notes[marks.DIGEST], notes[marks.RELEASE_HASH]
    except (KeyError, ValueError, AttributeError):
        return Row(name, environment, SKIPPED, "No release of ours is recorded on it.")
    if where != environment:
        return None
    if deployment["metadata"].get("deletionTimestamp"):
        return Row(name, environment, SKIPPED, "It is being removed.")
    if not history.completed(deployment):
        return Row(name, environment, SKIPPED, "Its rollout is not done, or has failed.")
    try:
        manifest = Manifest.model_validate(recorded)
    except ValidationError as error:
        text = (
            f"The recorded manifest is not valid any more ({error.error_count()} problems); "
            "deploy the service by deploy_service."
        )
        return Row(name, environment, FAILED, text)
    return Deployed(
        manifest,
        recorded,
        digest,
        release_hash,
        notes.get(marks.ARTIFACT_SHA256),
        built_from.read(notes.get(marks.BUILT_FROM)),
        built_from.read(notes.get(marks.ROLLED_BACK_FROM)),
    )


def decide(
    service: Deployed, current: Mapping[str, Current], standard: bytes, *, force: bool
) -> Planned | Row:
    """Whether the service is to be rebuilt, and why.

    :param current: by normalized reference.
    :param standard: the text of the standard Dockerfile.
    """
    name, environment = _name(service), service.manifest.environment
    reason = "Asked for, without cache." if force else _reason(service, current, standard)
    if reason is None:
        for base in service.bases:
            if problem := current[base].problem:
                return Row(name, environment, FAILED, problem)
        return Row(name, environment, UNCHANGED)
    left = service.rolled_back_from
    if left and not force and _reason(replace(service, built_from=left), current, standard) is None:
        text = (
            "Somebody rolled it back from an image on the present base images; it is rebuilt when "
            "one of them changes again, or by force."
        )
        return Row(name, environment, SKIPPED, text)
    pins = {base: pin for base in service.bases if (pin := current[base].pin)}
    rebuild = Rebuild.model_validate(
        {
            "releaseHash": service.release_hash,
            "digest": service.digest,
            "artifactSha256": service.artifact_sha256,
            "bases": pins,
            "noCache": force,
        }
    )
    conf = {**service.recorded, "rebuild": rebuild.model_dump(mode="json", by_alias=True)}
    return Planned(Row(name, environment, sentence=reason), conf)


def fitting(planned: list[Planned], most: int) -> tuple[list[Planned], list[Row]]:
    """Those that one run can take on, and rows of those that wait for the next one.

    :param most: Airflow's ``[core] max_map_length``.
    """
    text = (
        f"One run takes on {most} services ([core] max_map_length of Airflow); the next run "
        "comes to it."
    )
    rest = [Row(item.row.service, item.row.environment, SKIPPED, text) for item in planned[most:]]
    return planned[:most], rest


def distinct_bases(services: Iterable[Deployed]) -> list[str]:
    """Each base image once."""
    return sorted({base for service in services for base in service.bases})


def _reason(service: Deployed, current: Mapping[str, Current], standard: bytes) -> str | None:
    record = service.built_from
    if record is None:
        return "It is not on record what its image was built from."
    if record.standard and record.dockerfile != hashlib.sha256(standard).hexdigest():
        return "The standard Dockerfile has changed."
    if record.args != recipe.build_args(service.manifest):
        return "The build arguments have changed."
    for base, then in record.bases.items():
        if base_images.is_pinned(base):
            continue
        now = current[base]
        if not now.problem and then not in now.digests:
            new = now.pin or min(now.digests)
            return f"{base} has changed: {then[:_SHOWN]} is {new[:_SHOWN]} now."
    return None


def _name(service: Deployed) -> str:
    return f"{service.manifest.component}-{service.manifest.service_name}"
