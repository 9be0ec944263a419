"""What ``.dockerignore`` leaves out of a build context, by Docker's own rules.

The client of ``docker build`` applies that file to a folder; to a context that comes as a tar
nobody does, so whoever makes the tar must. The rules are those of
docs.docker.com/build/concepts/context ("Syntax") as moby/patternmatcher has them, with docker-py's
patterns.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import accumulate
from typing import Any


def ignored(text: bytes) -> Callable[[str], bool]:
    """The rule of one file: whether a path of the context, relative and with ``/``, is left out.

    :param text: the content of the file.
    """
    from docker.utils.build import Pattern

    patterns: list[Any] = [Pattern(line) for line in _lines(text)]
    patterns = [pattern for pattern in patterns if pattern.dirs]

    def leaves_out(path: str) -> bool:
        folders_and_path = list(accumulate(path.split("/"), lambda a, b: f"{a}/{b}"))
        left_out = False
        for pattern in patterns:  # the last one that matches decides
            if left_out is pattern.exclusion and any(map(pattern.match, folders_and_path)):
                left_out = not pattern.exclusion
        return left_out

    return leaves_out


def _lines(text: bytes) -> list[str]:
    """Patterns without comments and blank lines; ``! x`` is ``!x``."""
    made = []
    for line in text.decode("utf-8-sig", errors="replace").splitlines():
        pattern = "" if line.startswith("#") else line.strip()
        if pattern.startswith("!"):
            pattern = "!" + pattern[1:].strip()
        if pattern:
            made.append(pattern)
    return made
