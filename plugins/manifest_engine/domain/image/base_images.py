"""Names of base images: as a Dockerfile writes them, and as builder and registries know them."""

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
    """What a base image is right now."""

    digests: frozenset[str] = field(default_factory=frozenset)
    """Any of these is the present one: an image that only engines have has one per engine."""
    pin: str | None = None
    """The digest by which every builder can pull it; None when no registry has it."""
    problem: str = ""
    """Why it is not known."""


def normalized(reference: str) -> str:
    """``python:3.11`` as ``docker.io/library/python:3.11`` (distribution/reference)."""
    host, slash, rest = reference.partition("/")
    if not slash or not (set(host) & {".", ":"} or host == "localhost"):
        rest = reference if slash else f"library/{reference}"
        host = DOCKER_HUB
    return f"{host}/{rest}" if _has_tag(rest) else f"{host}/{rest}:latest"


def is_normalized(text: str) -> bool:
    """Whether it is an image's name as :func:`normalized` gives it, and nothing else: no option of
    a command line, no second word, no assignment.
    """
    return len(text) <= REFERENCE_MAX and _NORMALIZED.fullmatch(text) is not None


def host(reference: str) -> str:
    """The registry of a normalized reference."""
    return reference.partition("/")[0]


def repository(reference: str) -> str:
    """A normalized reference without tag and digest, the host with it."""
    name = reference.partition("@")[0]
    return name.rpartition(":")[0] if _has_tag(name.partition("/")[2]) else name


def tag(reference: str) -> str:
    """The tag of a normalized reference."""
    return reference.rpartition(":")[2]


def is_pinned(reference: str) -> bool:
    """Whether it names one image for ever."""
    return "@" in reference


def digest_among(reference: str, repo_digests: Iterable[str]) -> str | None:
    """An engine's ``RepoDigests`` say by which digests a local image came from registries."""
    wanted = repository(normalized(reference))
    for item in repo_digests:
        name, _, digest = item.partition("@")
        if repository(normalized(name)) == wanted:
            return digest
    return None


def _has_tag(name: str) -> bool:
    return "@" in name or ":" in name.rpartition("/")[2]
