"""Finds changes by hand before a release is built."""

from __future__ import annotations

import logging

from manifest_engine.domain.core.errors import ManifestEngineError
from manifest_engine.domain.drift import drift
from manifest_engine.domain.drift.drift import ByHand, Policy
from manifest_engine.domain.release import annotations as annotation
from manifest_engine.domain.release import labels as label
from manifest_engine.domain.release.release import Release
from manifest_engine.domain.route import routes
from manifest_engine.domain.workload import resources
from manifest_engine.hooks.kubernetes.api_server import Json
from manifest_engine.hooks.kubernetes.cluster import ClusterHook
from manifest_engine.services.drift.ownership import Ownership


def admit(
    release: Release, hook: ClusterHook, live: Json, log: logging.Logger, *, digest: str = ""
) -> Release:
    """Log the changes by hand of a service, and refuse those that are not to be overwritten.

    Costs one read of each object besides the Deployment. The step that applies an object repeats
    the check.

    :param live: the live Deployment.
    :param digest: digest of the image; by default that of the live release, as the digest of an
        image that is not built yet is unknown.
    :return: the release, with the changes that ``takeOver`` of the manifest overwrites.
    :raises ClusterError: naming the field managers, the fields and the values.
    """
    digest = digest or annotation.read_annotations(live).get(annotation.DIGEST, "")
    objects = resources.workload(release, digest, {})
    if not release.manifest.internal:
        objects.append(routes.route(release))
    recorded = drift.recorded(live)
    ownership = Ownership(hook, Policy.of(release), recorded, log)
    found = _find(ownership, hook, objects, live, log)
    if recorded:
        for field in drift.removed(live["spec"], recorded[0]["spec"]):
            log.warning("spec.%s was removed by hand; it is set again", field)
    if release.manifest.take_over:
        named = tuple(sorted({change.key for change in found if not change.agreed}))
        release = release.model_copy(update={"taken_over": named})
        ownership = Ownership(hook, Policy.of(release), recorded, log)
    for change in ownership.require(found):
        if not change.agreed:
            log.warning("%s; this will be overwritten", change)
    return release


def _find(
    ownership: Ownership, hook: ClusterHook, objects: list[Json], live: Json, log: logging.Logger
) -> list[ByHand]:
    found = ownership.find(objects[0], live)
    for desired in objects[1:]:
        kind = desired["kind"]
        if kind == "ConfigMap":  # its name follows from its content
            continue
        try:
            present = hook.get(*resources.key(desired), desired["metadata"]["namespace"])
        except ManifestEngineError as error:
            # The later steps that need the object retry or fail.
            log.warning("It is not known whether the %s was changed by hand: %s", kind, error)
            continue
        if present and label.is_ours(present):
            found += ownership.find(desired, present)
    return found
