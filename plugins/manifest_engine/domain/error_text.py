"""Reading other programs' errors: their words alone, without the names that they are about."""

from __future__ import annotations

import re

_NAMES = re.compile(
    r"""[^\s"'{}<>,]*/[^\s"'{}<>,]*       # a URL, an image's reference, a path
    |\bsha256:\w+
    |\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b
    |\b[0-9a-f]{12,}\b                    # a digest, an id""",
    re.IGNORECASE | re.VERBOSE,
)
_ALONE = r"(?<![\w.-])(?<!\w:){}(?![\w-]|\.\w)"
"""A number that is no part of a version, a port or a longer number."""


def without_names(text: str) -> str:
    """An error without what a status or a word may stand in by chance: digests, ids, addresses."""
    return _NAMES.sub(" ", text)


def status(*codes: int) -> str:
    """A regular expression for one of these HTTP statuses."""
    return _ALONE.format(f"(?:{'|'.join(map(str, codes))})")
