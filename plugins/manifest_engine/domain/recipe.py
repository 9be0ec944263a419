"""What an image is made of: everything here follows from the input alone, never from a run.

So the same input gives the same labels, the same image and the same digest, on any engine.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from manifest_engine.domain.context import SOURCE_DATE_EPOCH
from manifest_engine.domain.manifest import Manifest
from manifest_engine.domain.release import Release

INPUT_LABEL = "io.manifest-engine.input"
"""Label with the input key: by it an image in the registry is recognised as already built."""
DOCKERFILE_LABEL = "io.manifest-engine.dockerfile.sha256"
ARTIFACT_LABEL = "io.manifest-engine.artifact"
ARTIFACT_SHA256_LABEL = "io.manifest-engine.artifact.sha256"

PIP_SECRET = "pip_conf"  # noqa: S105 - the secret's id in a Dockerfile
"""Id of the BuildKit secret that holds the pip configuration of the private index."""

_FROM = re.compile(r"^\s*FROM\s+(?:--\S+\s+)*(\S+)(?:\s+AS\s+(\S+))?", re.IGNORECASE | re.MULTILINE)
_ARG = re.compile(r"^\s*ARG\s+(\w+)(?:=(\S+))?", re.IGNORECASE | re.MULTILINE)
_HEREDOC = re.compile(r"<<-?([\"']?)(\w+)\1.*?^\s*\2\s*$", re.DOTALL | re.MULTILINE)
_REFERENCE = re.compile(r"\$\{?(\w+)(?::-([^}]*))?\}?")


@dataclass(frozen=True)
class Recipe:
    """One image to build."""

    build_args: dict[str, str]
    labels: dict[str, str]

    @property
    def key(self) -> str:
        """The input key (hex)."""
        return self.labels[INPUT_LABEL]

    def follows(self, labels: Mapping[str, str]) -> bool:
        """Whether an image with these labels was built with this recipe's Dockerfile."""
        return labels.get(DOCKERFILE_LABEL) == self.labels[DOCKERFILE_LABEL]


def recipe(release: Release, artifact_sha256: str, dockerfile: bytes) -> Recipe:
    """The recipe of a release.

    :param artifact_sha256: of the ZIP (hex).
    :param dockerfile: the Dockerfile that will be used, the ZIP's own or the standard one.
    """
    args = build_args(release.manifest)
    base = base_image(dockerfile, args)
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
        "SOURCE_DATE_EPOCH": str(SOURCE_DATE_EPOCH),
        "SERVICE_VERSION": manifest.version,
    }
    if manifest.utils_version:
        args["UTILS_VERSION"] = manifest.utils_version
    return args


def input_key(artifact_sha256: str, manifest: Manifest) -> str:
    """SHA-256 (hex) over what a version is: the artifact with its own Dockerfile, and arguments.

    The standard Dockerfile and base images move on without it: a version that was released goes on
    being used as it is, in any environment, until a rebuild renews it.
    """
    told = {"artifact": artifact_sha256, "args": build_args(manifest)}
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def base_image(dockerfile: bytes, build_args: dict[str, str]) -> str | None:
    """What the last stage stands on, through stages of the same file; None if it cannot be told."""
    text = _HEREDOC.sub("", dockerfile.decode(errors="replace"))
    first = _FROM.search(text)
    defaults = dict(_ARG.findall(text[: first.start()])) if first else {}
    known = {name: value.strip("\"'") for name, value in defaults.items()}
    known |= {name: value for name, value in build_args.items() if name in known}
    stages: dict[str, str] = {}
    base: str | None = None
    for image, alias in _FROM.findall(text):
        filled = _REFERENCE.sub(lambda m: known.get(m[1]) or m[2] or "", image)
        base = stages.get(filled.lower(), filled)
        if alias:
            stages[alias.lower()] = base
    return base or None
