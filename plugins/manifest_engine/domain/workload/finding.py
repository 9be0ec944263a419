"""A finding: why a pod or a rollout does not come up."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from manifest_engine.domain.core import printable

_WRAPPED = re.compile(
    r'Back-off pulling image "[^"]*": (?:ErrImagePull: )?'
    r'|failed to (?:pull and unpack image|resolve reference|resolve image) "[^"]*": '
)

_LENGTH = 600


@dataclass(frozen=True)
class Finding:
    """Why a pod or a rollout does not come up."""

    sentence: str
    final: bool = False
    """Waiting longer cannot help."""
    retryable: bool = False
    """A later retry may succeed: the cluster or the registry is at fault, not the service."""
    rank: int = 0
    """A higher rank is closer to the cause."""
    image_missing: bool = False
    """The registry does not know the image (not yet, or no longer)."""
    pod: str = ""
    """The pod that the finding is about."""
    pull_denied: bool = False
    """The registry denied the node's pull; see ``image_pull.check_pull_secret``."""


def flat(text: Any) -> str:
    """One line of bounded length, without the image reference that kubelet and containerd repeat.

    A longer text loses its middle: the cause is at the end, after an address whose signature can
    take hundreds of characters.
    """
    return printable.line(_WRAPPED.sub("", " ".join(str(text or "").split())), _LENGTH)
