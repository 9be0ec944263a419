"""Quotes text from outside for Markdown, so that no part of the text is rendered as Markdown."""

from __future__ import annotations

import re
from collections.abc import Sequence

from manifest_engine.domain.core import printable

_BACKTICKS = re.compile(r"`+")


def code(text: str, limit: int) -> str:
    """A text as a code span on one line; safe in a table.

    :param limit: characters; a longer text is cut.
    """
    plain = printable.excerpt(text, limit).replace("`", "'").replace("|", "\\|")
    return f"`{plain}`" if plain else "(empty)"


def block(text: str, limit: int) -> str:
    """A text as a code block.

    :param limit: characters; a longer text loses its middle.
    """
    plain = printable.printable(text, limit)
    longest = max((len(run) for run in _BACKTICKS.findall(plain)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}\n{plain}\n{fence}"


def table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> list[str]:
    """The lines of a table. The cells must be Markdown already."""
    return [_row(head), "|" + "---|" * len(head), *map(_row, rows)]


def _row(cells: tuple[str, ...]) -> str:
    return "".join(f"| {cell} " if cell else "| " for cell in cells) + "|"
