"""Deployments that a ZIP in Artifactory starts: the block ``webhook`` of an environment."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Annotated, Any

from pydantic import Field, StringConstraints

from manifest_engine.domain.core.model import Model

PathPattern = Annotated[str, StringConstraints(pattern=r"^[\w./*@+-]+[.]zip$", max_length=500)]
"""A path ``repo/path/file.zip`` in which ``*`` matches any characters."""


class Webhook(Model):
    """Which ZIPs are deployed when Artifactory announces them."""

    connection: str
    paths: Annotated[tuple[PathPattern, ...], Field(min_length=1, max_length=50)]
    manifest: dict[str, Any] = Field(default_factory=dict)

    def takes(self, path: str) -> bool:
        """Whether a ZIP at this path is deployed."""
        return any(fnmatchcase(path, pattern) for pattern in self.paths)
