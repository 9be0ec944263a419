"""What is mounted below a folder, and taking it away."""

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
        # lazily: a process that still has a file open there is on its way out
        subprocess.run(["umount", "--lazy", point], capture_output=True, check=False)
    if left := below(folder.resolve()):  # never delete through a mount
        raise OSError(f"{left[0]} could not be unmounted, so {folder} stays")
    shutil.rmtree(folder, ignore_errors=True)


def remove_if_empty(folder: Path) -> None:
    """Delete a folder in a place shared with others, unless others' things are in it."""
    try:
        folder.rmdir()
    except OSError:  # not there, or not empty
        return
