"""A Docker engine whose files are all in a small file system."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from sandbox.engine import base_image
from sandbox.engine.dockerd import Daemon


@contextmanager
def engine_on_small_disk(name: str, slot: int, mib: int) -> Iterator[Daemon]:
    """Start the engine with the base image, and remove it after the block.

    :param slot: range of the containers' addresses, one per engine.
    :param mib: size of the file system, which is in memory.
    """
    engine = Daemon(name, slot)
    engine.folder.mkdir(parents=True)
    words = ["mount", "-t", "tmpfs", "-o", f"size={mib}m", "tmpfs", str(engine.folder)]
    subprocess.run(words, check=True)
    try:
        engine.start()
        base_image.load(engine.host)
        yield engine
    finally:
        engine.stop()
        subprocess.run(["umount", str(engine.folder)], check=False, capture_output=True)
        engine.stop()
