"""One ``up`` or ``down`` at a time: two of them side by side would each start what is not there."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager

from sandbox.core.console import say
from sandbox.core.settings import SETTINGS


@contextmanager
def turn() -> Iterator[None]:
    """Wait until no other ``up`` or ``down`` is at work on this machine."""
    SETTINGS.cache.mkdir(parents=True, exist_ok=True)
    with (SETTINGS.cache / "turn.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("sandbox", "waiting for another `up` or `down` to end")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
