"""The events that a receiver has got. Airflow stores this, so a killed sender can continue.

An asset event gets its time before its transaction ends, so an older event can become visible after
a newer event. The sender therefore reads the last minutes again, and skips the events whose numbers
are stored.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol, TypeVar

OVERLAP = timedelta(minutes=5)
"""How far back events are read again: longer than any transaction of Airflow."""


class Recorded(Protocol):
    """An asset event."""

    @property
    def id(self) -> int:
        """Number that Airflow gave the event."""

    @property
    def timestamp(self) -> datetime:
        """When the event was recorded."""


R = TypeVar("R", bound=Recorded)


@dataclass
class Progress:
    """The asset events that were sent to a receiver."""

    begin: datetime
    """Time of the first event that the receiver gets."""
    newest: datetime
    """Time of the newest event that was sent."""
    told: dict[int, float] = field(default_factory=dict)
    """Number and time of each sent event within ``OVERLAP`` before ``newest``."""

    @property
    def since(self) -> datetime:
        """Time from which events must be read."""
        return self.newest - OVERLAP

    def pending(self, recorded: Iterable[R]) -> list[R]:
        """The events that were not sent, the oldest first."""
        fresh = (
            item for item in recorded if item.timestamp >= self.begin and item.id not in self.told
        )
        return sorted(fresh, key=lambda item: (item.timestamp, item.id))

    def add(self, item: Recorded) -> None:
        """Record that an event was sent."""
        self.newest = max(self.newest, item.timestamp)
        self.told[item.id] = item.timestamp.timestamp()
        begin = self.since.timestamp()
        self.told = {number: at for number, at in self.told.items() if at >= begin}

    def dump(self) -> dict[str, Any]:
        """The progress as JSON-compatible data."""
        told = {str(number): at for number, at in self.told.items()}
        return {"begin": self.begin.isoformat(), "newest": self.newest.isoformat(), "told": told}


def start(begin: datetime) -> Progress:
    """The progress of a new receiver, which gets the events from ``begin`` on."""
    return Progress(begin, begin)


def load(data: Mapping[str, Any]) -> Progress:
    """Read the data of :meth:`Progress.dump`."""
    told = {int(number): float(at) for number, at in data["told"].items()}
    begin, newest = (datetime.fromisoformat(data[name]) for name in ("begin", "newest"))
    return Progress(begin, newest, told)
