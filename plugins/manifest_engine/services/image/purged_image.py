"""Tells an image that a node cannot find yet from one that the registry has lost."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from manifest_engine.domain.core.errors import ManifestEngineError

if TYPE_CHECKING:
    from manifest_engine.domain.release.release import Release
    from manifest_engine.domain.workload.finding import Finding


def check_registry(finding: Finding, release: Release, digest: str, log: logging.Logger) -> Finding:
    """The finding; made final where the registry itself says that the image is gone.

    A node may ask a replica that lags behind the push, so its own "not found" is worth a retry. We
    have read the image back after the push: if we do not find it now, it was deleted or purged.
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
        sentence=f"{finding.sentence}. The registry does not have it any more: it was deleted or "
        "purged. Deploy the version again, and it is built anew",
        final=True,
        retryable=False,
    )
