"""Manifests that attach content to an image in a registry (OCI image specification 1.1, "subject").

A registry with the referrers API lists the attached manifests. For other registries, the
specification defines a fallback tag, made of the image's digest, with an index of these manifests.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
EMPTY = b"{}"
"""The content of the empty descriptor, which replaces the configuration of an image."""
_EMPTY_TYPE = "application/vnd.oci.empty.v1+json"


@dataclass(frozen=True)
class Descriptor:
    """Media type, digest and size of a piece of content."""

    media_type: str
    digest: str
    size: int

    def dump(self) -> dict[str, Any]:
        return {"mediaType": self.media_type, "digest": self.digest, "size": self.size}


def describe(media_type: str, content: bytes) -> Descriptor:
    """The descriptor of the content."""
    return Descriptor(media_type, digest(content), len(content))


def digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def manifest(subject: Descriptor, media_type: str, content: bytes) -> bytes:
    """The manifest that attaches the content to the subject; same input, same bytes."""
    document = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "artifactType": media_type,
        "config": describe(_EMPTY_TYPE, EMPTY).dump(),
        "layers": [describe(media_type, content).dump()],
        "subject": subject.dump(),
    }
    return json.dumps(document, sort_keys=True).encode()


def fallback_tag(subject_digest: str) -> str:
    """The tag of the index of referrers in a registry without the referrers API."""
    return subject_digest.replace(":", "-")


def has_entry(index: dict[str, Any], artifact_type: str) -> bool:
    """Whether an index of referrers has an entry of this type."""
    return any(entry.get("artifactType") == artifact_type for entry in index.get("manifests", []))


def entry(index: dict[str, Any], artifact_type: str) -> str | None:
    """The digest of the last manifest of this type in an index of referrers."""
    found = [
        str(item["digest"])
        for item in index.get("manifests", [])
        if item.get("artifactType") == artifact_type
    ]
    return found[-1] if found else None


def content(made: dict[str, Any]) -> Descriptor | None:
    """The content that a manifest attaches; None if the manifest attaches nothing."""
    for layer in made.get("layers", []):
        return Descriptor(str(layer["mediaType"]), str(layer["digest"]), int(layer["size"]))
    return None


def with_entry(index: dict[str, Any] | None, made: bytes, artifact_type: str) -> bytes:
    """The index with an entry for the manifest, which replaces an entry of the same digest."""
    entry = {**describe(MANIFEST, made).dump(), "artifactType": artifact_type}
    others = [e for e in (index or {}).get("manifests", []) if e["digest"] != entry["digest"]]
    document = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [*others, entry]}
    return json.dumps(document, sort_keys=True).encode()
