"""What was found on a pod or a rollout that does not come up."""

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
    """Why it does not come up."""

    sentence: str
    final: bool = False
    """Waiting longer will not mend it."""
    retryable: bool = False
    """A new try, later, may succeed: the cluster or the registry is at fault, not the service."""
    rank: int = 0
    """The higher, the closer to the cause."""
    image_missing: bool = False
    """The registry that the node asked does not know the image (yet, or any more)."""
    pull_denied: bool = False
    """The registry refused the node; ``image_pull.explained`` finds out more."""


def flat(text: Any) -> str:
    """One line of bounded length; kubelet and each layer of containerd repeat the reference.

    Of a longer one the middle is left out: what went wrong stands at the end, behind an address
    whose signature alone may take hundreds of letters.
    """
    return printable.line(_WRAPPED.sub("", " ".join(str(text or "").split())), _LENGTH)
