"""Texts that a regular expression finds hard: repeats of what it takes, that then do not match."""

from __future__ import annotations

import random
import re
import warnings
from collections.abc import Iterator
from re import _constants as sre  # type: ignore[attr-defined]
from re import _parser  # type: ignore[attr-defined]
from typing import Any

_CATEGORIES = {
    sre.CATEGORY_DIGIT: "1",
    sre.CATEGORY_SPACE: " ",
    sre.CATEGORY_WORD: "a",
    sre.CATEGORY_NOT_DIGIT: "a",
    sre.CATEGORY_NOT_SPACE: "a",
    sre.CATEGORY_NOT_WORD: "-",
}
_REPEATS = (sre.MAX_REPEAT, sre.MIN_REPEAT, sre.POSSESSIVE_REPEAT)
_ANY = ("a", "1", " ", "-", ":", "/", "é")
_SAMPLES = 4


def texts(pattern: re.Pattern[Any]) -> list[tuple[str, str]]:
    """Beginnings of hard texts, and what is repeated after them."""
    source = pattern.pattern
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        tree = _parser.parse(
            source if isinstance(source, str) else source.decode(), pattern.flags & ~re.UNICODE
        )
    chars = sorted({char for node in _nodes(tree) for char in _chars(node)} | {"a", "1", " ", "\n"})
    return list(dict.fromkeys(_texts(tree, chars)))


def _texts(tree: Any, chars: list[str]) -> Iterator[tuple[str, str]]:
    yield from (("", char) for char in chars)
    for seed in range(_SAMPLES):
        sample = _Sample(random.Random(seed))
        for before, repeated in sample.repeats(tree, ""):
            yield before, repeated
            yield before, sample.choose.choice(chars)
            yield "", before + repeated
            yield "", before
        whole = sample.of(tree)
        yield "", whole
        yield "", whole[:-1]
        yield "", whole[1:]
        yield "", sample.choose.choice(chars) + sample.choose.choice(chars)


class _Sample:
    """Texts that expressions take, or nearly: with these choices."""

    def __init__(self, choose: random.Random) -> None:
        self.choose = choose
        self._groups: dict[int | None, str] = {}

    def of(self, tree: Any) -> str:
        return "".join(map(self._node, tree))

    def repeats(self, tree: Any, before: str) -> Iterator[tuple[str, str]]:
        """For each repeat: what leads to it, and what it repeats."""
        for node in tree:
            operator, value = node
            if operator in _REPEATS and value[1] > 1:
                yield before, self.of(value[2]) or "a"
            for inner in _inner(node):
                yield from self.repeats(inner, before)
            before += self._node(node)

    def _node(self, node: Any) -> str:
        operator, value = node
        if operator is sre.BRANCH:
            return self.of(self.choose.choice(value[1]))
        if operator in _REPEATS:
            times = min(max(value[0], self.choose.choice((0, 1, 2))), value[1], 64)
            return "".join(self.of(value[2]) for _ in range(times))
        if operator is sre.GROUPREF:
            return self._groups.get(value, "")
        if operator in (sre.ASSERT_NOT, sre.AT):
            return ""
        if inner := _inner(node):
            made = self.of(inner[0])
            if operator is sre.SUBPATTERN:
                self._groups[value[0]] = made
            return made
        chars = _chars(node)
        return self.choose.choice(chars) if chars else ""


def _nodes(tree: Any) -> Iterator[Any]:
    for node in tree:
        yield node
        for inner in _inner(node):
            yield from _nodes(inner)


def _inner(node: Any) -> list[Any]:
    """The expressions in a node."""
    operator, value = node
    if operator is sre.BRANCH:
        return list(value[1])
    if operator in _REPEATS:
        return [value[2]]
    if operator is sre.SUBPATTERN:
        return [value[3]]
    if operator in (sre.ASSERT, sre.ASSERT_NOT):
        return [value[1]]
    return [value] if operator is sre.ATOMIC_GROUP else []


def _chars(node: Any) -> list[str]:
    """Characters that a node takes by itself."""
    operator, value = node
    if operator is sre.LITERAL:
        return [chr(value)]
    if operator is sre.NOT_LITERAL:
        return [char for char in _ANY if char != chr(value)]
    if operator is sre.ANY:
        return list(_ANY)
    if operator is sre.IN:
        if value[0][0] is sre.NEGATE:
            taken = {char for item in value[1:] for char in _of_set(item)}
            return [char for char in _ANY if char not in taken]
        return [char for item in value for char in _of_set(item)]
    return []


def _of_set(item: Any) -> list[str]:
    operator, value = item
    if operator is sre.RANGE:
        return [chr(value[0]), chr(value[1])]
    if operator is sre.CATEGORY:
        return [_CATEGORIES[value]]
    return [chr(value)] if operator is sre.LITERAL else []
