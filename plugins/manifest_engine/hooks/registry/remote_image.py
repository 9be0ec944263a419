"""An image as the registry describes it: OCI image specification, and Docker's schema 2."""

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
    """What a tag or digest names in the registry."""

    digest: str
    """Of what the tag names, computed from the bytes: a manifest or an index."""
    manifest_digest: str
    """Of the platform's manifest: the same, unless the tag names an index."""
    config_digest: str
    size: int
    """Bytes of all layers, packed."""


@dataclass(frozen=True)
class RemoteImage(RemoteManifest):
    """The same with what its configuration tells."""

    labels: dict[str, str]
    layers: Layers


def remote_manifest(digest: str, manifest_digest: str, manifest: dict[str, Any]) -> RemoteManifest:
    """Put together what the registry said."""
    return RemoteManifest(
        digest=digest,
        manifest_digest=manifest_digest,
        config_digest=manifest["config"]["digest"],
        size=sum(layer["size"] for layer in manifest["layers"]),
    )


def remote_image(found: RemoteManifest, config: dict[str, Any]) -> RemoteImage:
    """The manifest and its configuration."""
    return RemoteImage(
        **asdict(found),
        labels=(config.get("config") or {}).get("Labels") or {},
        layers=_layers(config),
    )


def platform_manifest(index: dict[str, Any]) -> str:
    """The digest of the image in an index; attestations in it have the platform "unknown"."""
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
