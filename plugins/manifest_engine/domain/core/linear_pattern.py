"""Patterns of RE2, which takes linear time for every pattern and text."""

from __future__ import annotations

from functools import cache
from typing import Any


@cache
def compiled(pattern: str, *, across_lines: bool = False) -> Any:
    """A pattern that ignores case, compiled at its first use, so that a DAG file does not load RE2.

    :param across_lines: whether ``.`` matches a line end.
    """
    import re2

    options = re2.Options()
    options.case_sensitive = False
    options.dot_nl = across_lines
    return re2.compile(pattern, options)
