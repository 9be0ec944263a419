"""Finds the versions of a service in Artifactory's list of files."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from manifest_engine.domain.core import names

VERSIONS_MAX = 1000
_VERSION = re.compile(names.VERSION)
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Listed:
    """A file in Artifactory's list."""

    path: str
    """Path below the listed folder, without a slash at the beginning."""
    size: int
    """Bytes."""
    published_at: str | None
    sha256: str | None


def folder(repository: str, component: str, service_name: str) -> str:
    """The folder that has all versions of a service by the naming convention."""
    path = names.artifact_path(repository, component, service_name, "*")
    return path.partition("/*/")[0]


def versions(
    files: Iterable[Listed], repository: str, component: str, service_name: str
) -> dict[str, Any]:
    """The versions, newest first, as JSON-compatible data. Other files are ignored."""
    found = []
    for file in files:
        version = file.path.partition("/")[0]
        path = names.artifact_path(repository, component, service_name, version)
        if path.endswith(f"/{file.path}") and _VERSION.fullmatch(version):
            sha256 = (file.sha256 or "").lower()
            found.append(
                {
                    "version": version,
                    "path": path,
                    "size": file.size,
                    "publishedAt": file.published_at,
                    "sha256": sha256 if _SHA256.fullmatch(sha256) else None,
                }
            )
    found.sort(key=lambda item: (item["publishedAt"] or "", item["version"]), reverse=True)
    return {"items": found[:VERSIONS_MAX], "complete": len(found) <= VERSIONS_MAX}
