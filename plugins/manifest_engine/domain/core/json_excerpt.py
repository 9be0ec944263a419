"""JSON of any size and shape becomes JSON of a bounded size, in a time that is bounded likewise."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from manifest_engine.domain.core import printable

MORE = "…"
"""Stands for what is left out."""
_DEPTH_MAX = 6
_KEY_MAX = 100
_CHARACTER_MAX = 4
"""Bytes of a printable character in UTF-8; a quote and a backslash take two in JSON."""
_INTEGER_MAX = 1 << 63
_SCALAR_MAX = 24
"""Bytes of a number."""


class Excerpt:
    """Cuts values, one after another, which together get so many bytes.

    :param size: bytes of JSON in UTF-8, about: the last key and what stands for the rest may come
        on top.
    :param text_max: characters of one text.
    """

    def __init__(self, size: int, text_max: int) -> None:
        self._left = size
        self._text_max = text_max

    def of(self, value: Any, depth: int = 0) -> Any:
        """The value, or its begin. Each text is printable, and each number is one of JSON."""
        if isinstance(value, str):
            return self._text(value, self._text_max)
        self._left -= _SCALAR_MAX
        if isinstance(value, Mapping):
            return MORE if depth == _DEPTH_MAX else self._mapping(value, depth + 1)
        if isinstance(value, list | tuple):
            return MORE if depth == _DEPTH_MAX else self._list(value, depth + 1)
        return _scalar(value)

    def _mapping(self, value: Mapping[str, Any], depth: int) -> dict[str, Any]:
        made: dict[str, Any] = {}
        for at, (key, item) in enumerate(value.items()):
            if self._left <= 0:
                made[MORE] = f"{len(value) - at} more"
                break
            name = self._text(key, _KEY_MAX)
            # A name that is cut does not tell any more whether the value is a secret.
            made[name] = MORE if len(key) > _KEY_MAX else self.of(item, depth)
        return made

    def _list(self, value: list[Any] | tuple[Any, ...], depth: int) -> list[Any]:
        made: list[Any] = []
        for item in value:
            if self._left <= 0:
                made.append(f"{MORE} {len(value) - len(made)} more")
                break
            made.append(self.of(item, depth))
        return made

    def _text(self, value: str, most: int) -> str:
        made, size = _printable(value, max(0, min(most, self._left)))
        if size > self._left:
            made, size = _printable(value, max(0, min(most, self._left // _CHARACTER_MAX)))
        self._left -= size
        return made


def _printable(value: str, most: int) -> tuple[str, int]:
    """So many characters of a text, and the bytes that they take in JSON."""
    cut = value if len(value) <= most else f"{_begin(value, most)}{MORE}"
    made = printable.printable(cut, 2 * most + len(MORE))
    return made, len(json.dumps(made, ensure_ascii=False).encode()) + 2


def _begin(text: str, most: int) -> str:
    """Without a part of a URL: the rest of it might tell that this part is a password."""
    begin = text[:most]
    last = max(begin.rfind(space) for space in " \t\n\r")
    scheme = begin.find("://", last + 1)
    return begin if scheme < 0 else begin[: scheme + 3]


def _scalar(value: Any) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        small = -_INTEGER_MAX <= value < _INTEGER_MAX
        return value if small else f"{MORE} ({value.bit_length()} bits)"
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    return f"{MORE} ({type(value).__name__})"
