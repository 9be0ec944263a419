"""Puts foreign text into Markdown, so that nothing in it is read as Markdown."""

from __future__ import annotations

import re
from collections.abc import Sequence

from manifest_engine.domain.core import printable

_BACKTICKS = re.compile(r"`+")


def code(text: str, limit: int) -> str:
    """One line as a code span, also inside a table.

    :param limit: characters; a longer text is cut.
    """
    plain = printable.excerpt(text, limit).replace("`", "'").replace("|", "\\|")
    return f"`{plain}`" if plain else "(empty)"


def block(text: str, limit: int) -> str:
    """Lines as a code block.

    :param limit: characters; the middle of a longer text is cut out.
    """
    plain = printable.printable(text, limit)
    longest = max((len(run) for run in _BACKTICKS.findall(plain)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}\n{plain}\n{fence}"


def table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> list[str]:
    """The lines of a table; its cells are Markdown already."""
    return [_row(head), "|" + "---|" * len(head), *map(_row, rows)]


def _row(cells: tuple[str, ...]) -> str:
    return "".join(f"| {cell} " if cell else "| " for cell in cells) + "|"
