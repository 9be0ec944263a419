"""How far a receiver has been told: kept by Airflow, so that a killed sender goes on.

Airflow gives a recorded end of a run its time before the transaction that stores it ends, so an
earlier one can appear after a later one was read. So the last minutes are read again, and what was
told is known by its number.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol, TypeVar

OVERLAP = timedelta(minutes=5)
"""Longer than any transaction of Airflow."""


class Recorded(Protocol):
    """A recorded occurrence."""

    @property
    def id(self) -> int:
        """Its number."""

    @property
    def timestamp(self) -> datetime:
        """When it was recorded."""


R = TypeVar("R", bound=Recorded)


@dataclass
class Progress:
    """What a receiver has been told."""

    newest: datetime
    """The time of the last occurrence that was told."""
    told: dict[int, float] = field(default_factory=dict)
    """The numbers of what was told in the last minutes before ``newest``, with their times."""

    @property
    def since(self) -> datetime:
        """From where on to read."""
        return self.newest - OVERLAP

    def pending(self, recorded: Iterable[R]) -> list[R]:
        """What is to be told, the oldest first."""
        fresh = (item for item in recorded if item.id not in self.told)
        return sorted(fresh, key=lambda item: (item.timestamp, item.id))

    def add(self, item: Recorded) -> None:
        """Note that an occurrence was told."""
        self.newest = max(self.newest, item.timestamp)
        self.told[item.id] = item.timestamp.timestamp()
        begin = self.since.timestamp()
        self.told = {number: at for number, at in self.told.items() if at >= begin}

    def dump(self) -> dict[str, Any]:
        """As JSON-compatible data."""
        told = {str(number): at for number, at in self.told.items()}
        return {"newest": self.newest.isoformat(), "told": told}


def load(data: Mapping[str, Any]) -> Progress:
    """The opposite of :meth:`Progress.dump`."""
    told = {int(number): float(at) for number, at in data["told"].items()}
    return Progress(datetime.fromisoformat(data["newest"]), told)
