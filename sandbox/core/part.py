"""The interface of a part of the sandbox."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar


class SandboxError(Exception):
    """A part failed. The message says what was tried, what was found, and how to fix it."""


class Part(ABC):
    """One outside system. ``start`` and ``stop`` are idempotent."""

    name: ClassVar[str]
    needs: ClassVar[tuple[str, ...]] = ()
    """Names of the parts that must be ready before ``start``."""

    @abstractmethod
    def start(self) -> None:
        """Start the part and wait until it is ready. Raises SandboxError."""

    @abstractmethod
    def ready(self) -> str | None:
        """None if the part answers now, else one sentence about the problem. Takes under 2 s."""

    @abstractmethod
    def stop(self) -> None:
        """Remove everything that ``start`` made, also after an incomplete start."""

    def where(self) -> str:
        """The address or place of the part, for ``status``."""
        return ""

    def exports(self) -> dict[str, str]:
        """Variables for ``python -m sandbox env``."""
        return {}


def wait_until(
    check: Callable[[], str | None], seconds: float, what: str, pause: float = 0.2
) -> None:
    """Poll ``check`` until it returns None. After ``seconds`` raise SandboxError."""
    deadline = time.monotonic() + seconds
    while (problem := check()) is not None:
        if time.monotonic() > deadline:
            raise SandboxError(f"{what} was not ready after {seconds:.0f} s: {problem}")
        time.sleep(pause)
