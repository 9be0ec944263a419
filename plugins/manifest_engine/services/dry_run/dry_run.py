"""Asks the cluster what a release would change. Nothing is built or applied."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from manifest_engine.domain.build.recipe import input_key
from manifest_engine.domain.drift.drift import Policy
from manifest_engine.domain.dry_run import difference
from manifest_engine.domain.dry_run.difference import Change
from manifest_engine.domain.release import history
from manifest_engine.domain.release.release import Release
from manifest_engine.domain.route import routes
from manifest_engine.domain.workload import resources
from manifest_engine.hooks.artifactory.hook import ArtifactoryHook
from manifest_engine.hooks.registry.acr import AcrHook
from manifest_engine.services.artifact.published import find_artifact
from manifest_engine.services.dry_run.cluster import DryRunHook
from manifest_engine.services.image.released_tag import find_released
from manifest_engine.services.route.change import RouteChange
from manifest_engine.services.route.claims import refuse_taken
from manifest_engine.services.route.withdrawal import remove_routes
from manifest_engine.services.workload import pod_inputs
from manifest_engine.services.workload.workload import Workload

TO_BE_BUILT = "(to be built)"
_UNKNOWN = "sha256:" + "0" * 64
"""Placeholder for the digest of an image that is not built yet; the API server accepts it."""


def preview(release: Release, log: logging.Logger) -> list[Change]:
    """The changes of a release in the order of the real run, the route last.

    :raises ManifestEngineError: an error that the real run would raise, as far as it is known now.
    """
    artifactory = ArtifactoryHook(release.environment.artifactory.connection)
    sha256 = find_artifact(artifactory, release).sha256
    digest = _digest(release, sha256)
    log.info("The image %s is %s", release.image, digest or "not in the registry and must be built")
    hook = DryRunHook(release.environment.cluster.connection)
    in_cluster(release, hook, digest or _UNKNOWN, {"sha256": sha256}, log)
    changes = difference.replace_text(
        hook.changes, release.image_at(_UNKNOWN), f"{release.image} {TO_BE_BUILT}"
    )
    return difference.replace_text(changes, _UNKNOWN, TO_BE_BUILT)


def in_cluster(
    release: Release,
    hook: DryRunHook,
    digest: str,
    artifact: Mapping[str, Any],
    log: logging.Logger,
) -> None:
    """Send the objects of a release to the API server as dry runs.

    The hook records the changes, including the changes before a refused object.

    :raises ManifestEngineError: the error that the real run would raise.
    """
    policy = Policy.of(release)
    workload = Workload.of(release.environment, release.name, hook=hook, policy=policy, log=log)
    live = workload.live()
    annotations = pod_inputs.pod_annotations(hook, release, live, log)
    desired = resources.workload(release, digest, artifact, pod_annotations=annotations)
    workload.apply(history.carry_over(desired, live), live)
    route = routes.route(release)
    if release.manifest.internal:
        remove_routes(workload, route)
        return
    live_route = refuse_taken(hook, route, release.route_path, log)
    RouteChange(hook, route, live_route, policy=policy, log=log).at_once()


def report(release: Release, changes: list[Change], log: logging.Logger) -> list[dict[str, Any]]:
    """Log the difference, one line per object and field, and return it as data for XCom."""
    where = f"{release.name} in {release.manifest.environment}"
    if all(change.action == "unchanged" for change in changes):
        log.info("Dry run: %s is up to date, nothing would change", where)
    else:
        log.info("Dry run: deploying %s %s would do this:", where, release.manifest.version)
    for change in changes:
        for line in str(change).splitlines():
            log.info("  %s", line)
    return [change.dump() for change in changes]


def _digest(release: Release, sha256: str) -> str | None:
    api = AcrHook(release.environment.registry.connection).api
    found = find_released(api, release, key=input_key(sha256, release.manifest), sha256=sha256)
    return found.image.digest if found.image else None
