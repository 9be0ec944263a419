"""Geometry of the bar charts. A template draws each chart as SVG, with a table of the numbers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

WIDTH, HEIGHT = 1000, 180
_GAP = 0.2
"""Share of the space between two bars."""
_BAR_MAX = 60
"""Maximum width of a bar."""


@dataclass(frozen=True)
class Bar:
    """One bar of stacked parts."""

    title: str
    parts: Sequence[float]
    """Height of each part, from the bottom; never negative."""


def stacked(bars: Iterable[Bar]) -> dict[str, Any]:
    """The rectangles of all bars: position, size, number of the part, and title of the bar."""
    shown = list(bars)
    top = max((sum(bar.parts) for bar in shown), default=0)
    place = min(WIDTH / max(1, len(shown)), _BAR_MAX)
    rectangles = []
    for at, bar in enumerate(shown):
        below = 0.0
        for series, part in enumerate(bar.parts):
            height = HEIGHT * part / top if top else 0
            if height > 0:
                rectangles.append(
                    {
                        "x": round(at * place, 1),
                        "y": round(HEIGHT - below - height, 1),
                        "width": round(place * (1 - _GAP), 1),
                        "height": round(height, 1),
                        "series": series,
                        "title": bar.title,
                    }
                )
            below += height
    return {"rectangles": rectangles, "top": top, "width": WIDTH, "height": HEIGHT}
