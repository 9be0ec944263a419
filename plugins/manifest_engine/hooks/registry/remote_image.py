"""The registry's description of an image: OCI image specification, or Docker's schema 2."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from manifest_engine.domain.build.build_cache import Layers, Step

INDEXES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
MANIFESTS = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)


@dataclass(frozen=True)
class RemoteManifest:
    """The manifest or index that a tag or digest refers to."""

    digest: str
    """Digest of the manifest or index that the tag refers to, computed from the bytes."""
    manifest_digest: str
    """Digest of the platform's manifest; equal to ``digest`` unless the tag refers to an index."""
    config_digest: str
    size: int
    """Bytes of all layers, compressed."""


@dataclass(frozen=True)
class RemoteImage(RemoteManifest):
    """A manifest with the image's configuration."""

    labels: dict[str, str]
    layers: Layers
    user: str
    """``USER`` of the Dockerfile: name or number, with or without a group; empty for root."""


def remote_manifest(digest: str, manifest_digest: str, manifest: dict[str, Any]) -> RemoteManifest:
    """Read the content of a manifest."""
    return RemoteManifest(
        digest=digest,
        manifest_digest=manifest_digest,
        config_digest=manifest["config"]["digest"],
        size=sum(layer["size"] for layer in manifest["layers"]),
    )


def remote_image(found: RemoteManifest, config: dict[str, Any]) -> RemoteImage:
    """Add the image's configuration to its manifest."""
    settings = config.get("config") or {}
    return RemoteImage(
        **asdict(found),
        labels=settings.get("Labels") or {},
        layers=_layers(config),
        user=str(settings.get("User") or ""),
    )


def platform_manifest(index: dict[str, Any]) -> str:
    """The digest of the image in an index, whose attestations have the platform "unknown"."""
    for entry in index["manifests"]:
        if (entry.get("platform") or {}).get("os") != "unknown":
            return str(entry["digest"])
    return str(index["manifests"][0]["digest"])


def _layers(config: dict[str, Any]) -> Layers:
    history = (
        Step(entry.get("created_by", ""), not entry.get("empty_layer"))
        for entry in config.get("history") or []
    )
    return Layers(tuple(history), tuple(config.get("rootfs", {}).get("diff_ids") or []))
