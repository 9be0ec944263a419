"""What every part of the sandbox looks like, so that a reader finds one and can replace it."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar


class SandboxError(Exception):
    """A part could not be brought up; the message says what was tried, found, and what mends it."""


class Part(ABC):
    """One piece of the outside world. ``start`` and ``stop`` may be called at any time, twice."""

    name: ClassVar[str]
    needs: ClassVar[tuple[str, ...]] = ()
    """Names of the parts that must be ready before ``start``."""

    @abstractmethod
    def start(self) -> None:
        """Bring the part up; return once it is ready. Raises SandboxError."""

    @abstractmethod
    def ready(self) -> str | None:
        """None when it answers right now, else one sentence on what is missing. Quick (< 2 s)."""

    @abstractmethod
    def stop(self) -> None:
        """Take away everything that ``start`` made, also after a half-finished start."""

    def where(self) -> str:
        """Where it listens or lives, for ``status``."""
        return ""

    def exports(self) -> dict[str, str]:
        """Variables for ``python -m sandbox env``."""
        return {}


def wait_until(
    check: Callable[[], str | None], seconds: float, what: str, pause: float = 0.2
) -> None:
    """Poll ``check`` until it returns None; raises SandboxError with its last word after that."""
    deadline = time.monotonic() + seconds
    while (problem := check()) is not None:
        if time.monotonic() > deadline:
            raise SandboxError(f"{what} was not ready after {seconds:.0f} s: {problem}")
        time.sleep(pause)
