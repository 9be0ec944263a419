"""Finds and removes mounts below a folder."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path


def below(folder: Path) -> list[Path]:
    """Mount points at or below ``folder``, the innermost first."""
    # mountinfo writes a space as \040
    points = [
        Path(line.split()[4].replace("\\040", " "))
        for line in Path("/proc/self/mountinfo").read_text().splitlines()
    ]
    return [point for point in reversed(points) if point == folder or folder in point.parents]


def remove(folder: Path) -> None:
    """Unmount everything at or below ``folder``, then delete it."""
    for point in below(folder.resolve()):
        # lazy, because a process that is ending may still have files open
        subprocess.run(["umount", "--lazy", point], capture_output=True, check=False)
    if mounted := below(folder.resolve()):  # never delete through a mount
        raise OSError(f"{mounted[0]} could not be unmounted, so {folder} is kept")
    shutil.rmtree(folder, ignore_errors=True)


def remove_if_empty(folder: Path) -> None:
    """Delete a folder that others may share, if it is empty."""
    try:
        folder.rmdir()
    except OSError:  # missing, or not empty
        return
