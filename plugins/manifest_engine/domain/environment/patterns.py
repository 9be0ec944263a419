"""Patterns for names in ``environments.yaml``. ``*`` matches any characters."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import Annotated

from pydantic import StringConstraints

ANY = "*"

Pattern = Annotated[str, StringConstraints(pattern=r"^[a-z0-9.*-]{1,253}$")]
"""For names of Kubernetes objects and components. Other wildcards of :mod:`fnmatch` are refused."""
LabelPattern = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._/*-]{1,317}$")]
"""For keys of labels."""


def matches_any(patterns: Iterable[str], name: str) -> bool:
    """Whether one of the patterns covers the whole name."""
    return any(fnmatchcase(name, pattern) for pattern in patterns)
