"""Build arguments and labels of an image. They depend on the input alone, never on the run.

The same input gives the same labels, the same image and the same digest on any engine.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

from manifest_engine.domain.artifact.context import SOURCE_DATE_EPOCH
from manifest_engine.domain.artifact.member_paths import DOCKERFILE
from manifest_engine.domain.build.dockerfile import base_image
from manifest_engine.domain.manifest.manifest import Manifest
from manifest_engine.domain.release.release import Release

INPUT_LABEL = "io.manifest-engine.input"
"""Label with the input key, which shows that an image in the registry was built from the input."""
DOCKERFILE_LABEL = "io.manifest-engine.dockerfile.sha256"
ARTIFACT_LABEL = "io.manifest-engine.artifact"
ARTIFACT_SHA256_LABEL = "io.manifest-engine.artifact.sha256"

PIP_SECRET = "pip_conf"  # noqa: S105 - the secret's id in a Dockerfile
"""Id of the BuildKit secret that holds the pip configuration of the private index."""
UV_SECRET = "uv_toml"  # noqa: S105
"""Id of the secret with uv's configuration: the private index first, then the public one."""
CA_SECRET = "index_ca"  # noqa: S105
"""Id of the secret with the certificate authorities of the index or of its proxy."""
SECRETS_FOLDER = "/run/secrets"
"""BuildKit mounts each secret in this folder, as a file named by the secret's id."""
INDEX_ARGUMENT = "PACKAGE_INDEX"
"""Build argument that changes with the index. Without it, BuildKit would reuse a cached layer with
packages of another index."""


@dataclass(frozen=True)
class Recipe:
    """One image to build."""

    build_args: dict[str, str]
    labels: dict[str, str]

    @property
    def key(self) -> str:
        """The input key (hex)."""
        return self.labels[INPUT_LABEL]

    def has_same_dockerfile(self, labels: Mapping[str, str]) -> bool:
        """Whether an image with these labels was built with this recipe's Dockerfile."""
        return labels.get(DOCKERFILE_LABEL) == self.labels[DOCKERFILE_LABEL]


def recipe(release: Release, artifact_sha256: str, dockerfile: bytes) -> Recipe:
    """The recipe of a release.

    :param artifact_sha256: of the ZIP (hex).
    :param dockerfile: content of the Dockerfile to build with.
    """
    args = build_args(release.manifest)
    base = base_image(dockerfile, args, target=release.manifest.target)
    labels = {
        "org.opencontainers.image.title": release.name,
        "org.opencontainers.image.version": release.manifest.version,
        "org.opencontainers.image.source": release.artifact,
        INPUT_LABEL: input_key(artifact_sha256, release.manifest),
        DOCKERFILE_LABEL: hashlib.sha256(dockerfile).hexdigest(),
        ARTIFACT_LABEL: release.artifact,
        ARTIFACT_SHA256_LABEL: artifact_sha256,
    }
    if base:
        name, _, digest = base.partition("@")
        labels["org.opencontainers.image.base.name"] = name
        if digest:
            labels["org.opencontainers.image.base.digest"] = digest
    return Recipe(args, labels)


def build_args(manifest: Manifest) -> dict[str, str]:
    """The build arguments of a manifest."""
    args = {
        **manifest.build_args,
        "SOURCE_DATE_EPOCH": str(SOURCE_DATE_EPOCH),
        "SERVICE_VERSION": manifest.version,
    }
    if manifest.utils_version:
        args["UTILS_VERSION"] = manifest.utils_version
    return args


def input_key(artifact_sha256: str, manifest: Manifest) -> str:
    """SHA-256 (hex) of the artifact's checksum, the build arguments, and the manifest's Dockerfile,
    target and platform.

    The standard Dockerfile, base images and frontends do not count: after a change of these, a
    released version keeps its image in all environments until a rebuild.
    """
    choices = {
        "dockerfile": None if manifest.dockerfile == DOCKERFILE else manifest.dockerfile,
        "target": manifest.target,
        "platform": manifest.platform,
    }
    inputs = {
        "artifact": artifact_sha256,
        "args": build_args(manifest),
        **{name: value for name, value in choices.items() if value},
    }
    return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()
