"""Patterns for names in ``environments.yaml``: ``*`` stands for any characters, nothing else is
special.

No regular expression: the work is bounded by the length of the name times that of the pattern, and
both are short.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

from pydantic import StringConstraints

ANY = "*"

Pattern = Annotated[str, StringConstraints(pattern=r"^[a-z0-9.*-]{1,253}$")]
"""For names of Kubernetes objects, and of components, which are part of them."""


def matches_any(patterns: Iterable[str], name: str) -> bool:
    """Whether one of the patterns covers the whole name."""
    return any(_matches(pattern, name) for pattern in patterns)


def _matches(pattern: str, name: str) -> bool:
    first, *others = pattern.split(ANY)
    if not others:
        return name == first
    *middle, last = others
    end = len(name) - len(last)
    if not name.startswith(first) or not name.endswith(last) or end < len(first):
        return False
    position = len(first)
    for part in middle:
        # The leftmost place leaves the most room for the parts that follow.
        found = name.find(part, position, end)
        if found < 0:
            return False
        position = found + len(part)
    return True
