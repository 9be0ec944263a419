"""Locks between the sandbox's commands on this machine, kept as files in the cache folder."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager

from sandbox.core.console import say
from sandbox.core.settings import SETTINGS


@contextmanager
def lock(name: str, waiting_for: str) -> Iterator[None]:
    """Hold the lock ``name``. If another command holds it, say ``waiting_for`` and wait."""
    SETTINGS.cache.mkdir(parents=True, exist_ok=True)
    with (SETTINGS.cache / f"{name}.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("sandbox", f"waiting for {waiting_for}")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
