"""The block ``webhook`` of an environment: ZIPs that are deployed when Artifactory gets them."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Annotated, Any

from pydantic import Field, StringConstraints

from manifest_engine.domain.core.model import Model

PathPattern = Annotated[str, StringConstraints(pattern=r"^[\w./*@+-]+[.]zip$", max_length=500)]
"""A path ``repo/path/file.zip`` in which ``*`` matches any characters."""


class Webhook(Model):
    """ZIPs that Artifactory's webhook may deploy, and defaults for their manifests."""

    connection: str
    paths: Annotated[tuple[PathPattern, ...], Field(min_length=1, max_length=50)]
    manifest: dict[str, Any] = Field(default_factory=dict)

    def takes(self, path: str) -> bool:
        """Whether the webhook may deploy a ZIP at this path."""
        return any(fnmatchcase(path, pattern) for pattern in self.paths)
