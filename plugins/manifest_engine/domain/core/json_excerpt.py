"""Cut JSON of any size and shape to a bounded size, in bounded time."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from manifest_engine.domain.core import printable

ELLIPSIS = "…"
"""Replaces omitted values."""
_DEPTH_MAX = 6
_KEY_MAX = 100
_CHARACTER_MAX = 4
"""Bytes of one printable character in JSON, at most: four in UTF-8, two for an escaped quote."""
_INTEGER_MAX = 1 << 63
_SCALAR_MAX = 24
"""Bytes of a number."""


class Excerpt:
    """Cuts values. All values cut by the same object share one size limit.

    :param size: approximate bytes of JSON in UTF-8: the last key and the ellipses may exceed them.
    :param text_max: characters of one text.
    """

    def __init__(self, size: int, text_max: int) -> None:
        self._left = size
        self._text_max = text_max

    def of(self, value: Any, depth: int = 0) -> Any:
        """The value or its beginning, with printable texts and with numbers that JSON allows."""
        if isinstance(value, str):
            return self._text(value, self._text_max)
        self._left -= _SCALAR_MAX
        if isinstance(value, Mapping):
            return ELLIPSIS if depth == _DEPTH_MAX else self._mapping(value, depth + 1)
        if isinstance(value, list | tuple):
            return ELLIPSIS if depth == _DEPTH_MAX else self._list(value, depth + 1)
        return _scalar(value)

    def _mapping(self, value: Mapping[str, Any], depth: int) -> dict[str, Any]:
        made: dict[str, Any] = {}
        for at, (key, item) in enumerate(value.items()):
            if self._left <= 0:
                made[ELLIPSIS] = f"{len(value) - at} more"
                break
            name = self._text(key, _KEY_MAX)
            # Redaction reads the key. A key that was cut may not show that the value is secret.
            made[name] = ELLIPSIS if len(key) > _KEY_MAX else self.of(item, depth)
        return made

    def _list(self, value: list[Any] | tuple[Any, ...], depth: int) -> list[Any]:
        made: list[Any] = []
        for item in value:
            if self._left <= 0:
                made.append(f"{ELLIPSIS} {len(value) - len(made)} more")
                break
            made.append(self.of(item, depth))
        return made

    def _text(self, value: str, max_chars: int) -> str:
        made, size = _printable(value, max(0, min(max_chars, self._left)))
        if size > self._left:
            made, size = _printable(value, max(0, min(max_chars, self._left // _CHARACTER_MAX)))
        self._left -= size
        return made


def _printable(value: str, max_chars: int) -> tuple[str, int]:
    """At most ``max_chars`` characters of a text, and their size in JSON in bytes."""
    cut = value if len(value) <= max_chars else f"{_beginning(value, max_chars)}{ELLIPSIS}"
    made = printable.printable(cut, 2 * max_chars + len(ELLIPSIS))
    return made, len(json.dumps(made, ensure_ascii=False).encode()) + 2


def _beginning(text: str, max_chars: int) -> str:
    """The beginning of a text, cut before an incomplete URL.

    Redaction cannot recognise a password in the first part of a URL.
    """
    beginning = text[:max_chars]
    last = max(beginning.rfind(space) for space in " \t\n\r")
    scheme = beginning.find("://", last + 1)
    return beginning if scheme < 0 else beginning[: scheme + 3]


def _scalar(value: Any) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        small = -_INTEGER_MAX <= value < _INTEGER_MAX
        return value if small else f"{ELLIPSIS} ({value.bit_length()} bits)"
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    return f"{ELLIPSIS} ({type(value).__name__})"
