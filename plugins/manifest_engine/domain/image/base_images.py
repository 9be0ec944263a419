"""References of base images: in the short form of a Dockerfile, and normalized for registries."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

DOCKER_HUB = "docker.io"
REFERENCE_MAX = 512
"""A name of at most 255 characters, a tag of 128 and a digest (distribution/reference)."""
_HOST = r"[A-Za-z0-9]+(?:-+[A-Za-z0-9]+)*"
_PART = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_NORMALIZED = re.compile(
    rf"^(?:{_HOST}(?:\.{_HOST})*|\[[0-9a-fA-F:]+\])(?::[0-9]{{1,5}})?(?:/{_PART})+"
    r"(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(?:@sha256:[0-9a-f]{64})?"
)
"""The grammar of distribution/reference, with the host written out."""


@dataclass(frozen=True)
class Current:
    """The current state of a base image."""

    digests: frozenset[str] = field(default_factory=frozenset)
    """The current digests. An image that only exists on engines has one digest for each engine."""
    pin: str | None = None
    """The digest by which every builder can pull the image; None when no registry has it."""
    problem: str = ""
    """Why the state is unknown; empty when it is known."""


def normalized(reference: str) -> str:
    """The full form of a reference, as distribution/reference defines it.

    ``python:3.11`` becomes ``docker.io/library/python:3.11``.
    """
    host, slash, rest = reference.partition("/")
    if not slash or not (set(host) & {".", ":"} or host == "localhost"):
        rest = reference if slash else f"library/{reference}"
        host = DOCKER_HUB
    return f"{host}/{rest}" if _has_tag(rest) else f"{host}/{rest}:latest"


def is_normalized(text: str) -> bool:
    """Whether the text is one normalized reference.

    Such a text is safe on a command line: it cannot be an option, an assignment or two words.
    """
    return len(text) <= REFERENCE_MAX and _NORMALIZED.fullmatch(text) is not None


def host(reference: str) -> str:
    """The registry of a normalized reference."""
    return reference.partition("/")[0]


def repository(reference: str) -> str:
    """A normalized reference without its tag and digest; the host is included."""
    name = reference.partition("@")[0]
    return name.rpartition(":")[0] if _has_tag(name.partition("/")[2]) else name


def tag(reference: str) -> str:
    """The tag of a normalized reference."""
    return reference.rpartition(":")[2]


def is_pinned(reference: str) -> bool:
    """Whether the reference has a digest."""
    return "@" in reference


def digest_among(reference: str, repo_digests: Iterable[str]) -> str | None:
    """The digest of a local image in the reference's repository, from ``RepoDigests`` of an engine.

    None when the image was not pulled from that repository.
    """
    expected = repository(normalized(reference))
    for item in repo_digests:
        name, _, digest = item.partition("@")
        if repository(normalized(name)) == expected:
            return digest
    return None


def _has_tag(name: str) -> bool:
    return "@" in name or ":" in name.rpartition("/")[2]
