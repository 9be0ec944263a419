"""Distinguishes an image that a node cannot find yet from an image deleted in the registry."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from manifest_engine.domain.core.errors import ManifestEngineError

if TYPE_CHECKING:
    from manifest_engine.domain.release.release import Release
    from manifest_engine.domain.workload.finding import Finding


def check_registry(finding: Finding, release: Release, digest: str, log: logging.Logger) -> Finding:
    """Make the finding final if the registry no longer has the image.

    A node may ask a registry replica that lags behind the push, so "not found" on a node is worth a
    retry. ``push_image`` read the image back after the push, so an image that the registry does not
    have now was deleted or purged.
    """
    if not finding.image_missing:
        return finding
    from manifest_engine.hooks.registry.acr import AcrHook

    try:
        registry = AcrHook(release.environment.registry.connection).api
        if registry.manifest(release.repository, digest) is not None:
            return finding
    except ManifestEngineError as error:
        log.warning("The registry cannot be asked for the image: %s", error)
        return finding
    return replace(
        finding,
        sentence=f"{finding.sentence}. The registry no longer has the image: the image was deleted "
        "or purged. Deploy the version again to build the image",
        final=True,
        retryable=False,
    )
