"""The referrers API, which ACR has and the registry behind the front lacks.

ACR answers ``OCI-Subject`` (learn.microsoft.com, ACR's OCI artifacts). Distribution 3 has no such
API (github.com/distribution/distribution/pull/4828). Both read 2026-11.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

INDEX = "application/vnd.oci.image.index.v1+json"


class Referrers:
    """The manifests with a ``subject`` that clients pushed through one front."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], dict[str, dict[str, Any]]] = {}

    def note(self, repository: str, manifest: bytes) -> str | None:
        """Remember a pushed manifest, and return the digest of its subject, if any."""
        content = json.loads(manifest)
        subject = (content.get("subject") or {}).get("digest")
        if subject is None:
            return None
        digest = f"sha256:{hashlib.sha256(manifest).hexdigest()}"
        self._known.setdefault((repository, subject), {})[digest] = {
            "mediaType": content["mediaType"],
            "digest": digest,
            "size": len(manifest),
            "artifactType": content.get("artifactType") or content["config"]["mediaType"],
            "annotations": content.get("annotations") or {},
        }
        return str(subject)

    def index(
        self,
        repository: str,
        subject: str,
        tagged: Sequence[dict[str, Any]],
        kind: str | None = None,
    ) -> dict[str, Any]:
        """The manifests with this subject, as an image index.

        :param tagged: entries of the fallback tag.
        :param kind: only this artifact type.
        """
        found = {item["digest"]: item for item in tagged}
        found |= self._known.get((repository, subject), {})
        manifests = [item for item in found.values() if kind in (None, item.get("artifactType"))]
        return {"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests}
