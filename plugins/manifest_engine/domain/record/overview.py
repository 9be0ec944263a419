"""The table of services and environments: its rows, and their filter, order and pages."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from manifest_engine.domain.image import base_images
from manifest_engine.domain.record import live as live_release
from manifest_engine.domain.record.history import Place, Recorded
from manifest_engine.domain.record.live import Live, Observation

PAGE_MAX = 500
CURSOR_MAX = 1024
_NUMBER = re.compile(r"\d{1,20}")
Sort = Literal[
    "service", "-service", "environment", "-environment", "version", "-version", "since", "-since"
]
"""Order of the rows; ``-`` is descending."""
_RESULTS = {"success": "succeeded", "failed": "failed"}


@dataclass(frozen=True)
class Row:
    """A service in an environment."""

    place: Place
    live: Live | None
    """The live release as last read from the cluster; None if there is none or it is unknown."""
    observation: Observation
    newest: Recorded | None
    """The newest run, apart from dry runs."""
    made_by: Recorded | None = None
    """The run that made the live release, for a cluster that does not answer."""
    recent: bool = True
    """Whether the newest run is recent. Services that are not deployed are shown while it is."""

    @cached_property
    def state(self) -> str:
        if self.live is not None:
            return self.live.state if self.observation.observed else live_release.UNKNOWN
        if self.observation.observed:
            return live_release.ABSENT
        return live_release.UNKNOWN if self.made_by or self.newest is None else live_release.ABSENT

    @cached_property
    def version(self) -> str | None:
        if self.live is not None:
            return self.live.version
        return self.made_by.version if self.made_by else None

    @cached_property
    def since(self) -> str | None:
        if self.live is not None:
            return self.live.since
        moment = self.made_by.requested_at if self.made_by else None
        return moment.isoformat() if moment else None

    @cached_property
    def result(self) -> str | None:
        """``succeeded``, ``failed`` or ``running``."""
        return _RESULTS.get(self.newest.state, "running") if self.newest else None


@dataclass(frozen=True)
class Filter:
    """Conditions for rows; None means any value."""

    environment: str | None = None
    component: str | None = None
    service_name: str | None = None
    text: str | None = None
    """Part of the service's name, of its version, or of the name of the user who deployed."""
    state: str | None = None
    result: str | None = None

    def covers(self, row: Row) -> bool:
        if self.environment not in (None, row.place.environment):
            return False
        if self.component not in (None, row.place.component):
            return False
        if self.service_name not in (None, row.place.service_name):
            return False
        if self.state not in (None, row.state) or self.result not in (None, row.result):
            return False
        if row.state == live_release.ABSENT and not row.recent and self.state is None:
            return False
        return self.text is None or self._has_text(row)

    def _has_text(self, row: Row) -> bool:
        by = row.live.requested_by if row.live else None
        texts = (f"{row.place.component}-{row.place.service_name}", row.version, by)
        wanted = (self.text or "").lower()
        return any(wanted in text.lower() for text in texts if text)


def page(
    rows: Iterable[Row], order: Sort, limit: int, cursor: str | None
) -> tuple[list[Row], str | None]:
    """A page of the rows in order, and the cursor of the next page.

    The cursor names the last row, so added and removed rows do not shift the pages.

    :raises ValueError: when the cursor was made for another order.
    """
    key = order.removeprefix("-")
    descending = order != key
    found = sorted(((_key(row, key), row) for row in rows), key=_first, reverse=descending)
    if cursor is not None:
        after = _read_cursor(cursor, order)
        found = [item for item in found if (item[0] < after if descending else item[0] > after)]
    shown = found[:limit]
    more = len(found) > limit
    return [row for _, row in shown], _cursor(order, shown[-1][0]) if more else None


def outdated(bases: Mapping[str, str], nights: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The base images of a release, and whether their tags now have other digests.

    :param nights: digests by reference that each nightly run found, newest run first.
    """
    return [
        {"image": reference, "digest": digest, "outdated": _is_outdated(reference, digest, nights)}
        for reference, digest in sorted(bases.items())
    ]


def _is_outdated(reference: str, digest: str, nights: Sequence[Mapping[str, Any]]) -> bool | None:
    if base_images.is_pinned(reference):
        return False
    for night in nights:
        if isinstance(known := night.get(reference), list) and known:
            return digest not in known
    return None


def _first(item: tuple[list[str], Row]) -> list[str]:
    return item[0]


def _key(row: Row, key: str) -> list[str]:
    value = ""
    if key == "environment":
        value = row.place.environment
    elif key == "version":
        value = _natural(row.version or "")
    elif key == "since":
        value = row.since or ""
    return [value, *row.place]


def _natural(text: str) -> str:
    """A key that sorts 1.9 before 1.10."""
    return _NUMBER.sub(lambda found: found[0].zfill(20), text)


def _cursor(order: str, key: list[str]) -> str:
    return base64.urlsafe_b64encode(json.dumps([order, *key]).encode()).decode().rstrip("=")


def _read_cursor(text: str, order: str) -> list[str]:
    try:
        found = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (ValueError, RecursionError):
        found = None
    valid = isinstance(found, list) and len(found) == 5 and all(isinstance(x, str) for x in found)
    if not valid or found[0] != order:
        raise ValueError("The cursor does not belong to this order.")
    return list(found[1:])
