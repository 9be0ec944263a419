"""A receiver gets each event once, including events that become visible late."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from manifest_engine.domain.events import progress
from manifest_engine.domain.events.progress import OVERLAP

BEGIN = datetime(2026, 1, 2, tzinfo=UTC)


@dataclass(frozen=True)
class Item:
    id: int
    timestamp: datetime


def item(number: int, seconds: float) -> Item:
    return Item(number, BEGIN + timedelta(seconds=seconds))


def test_the_oldest_event_is_sent_first():
    found = progress.start(BEGIN).pending([item(2, 9), item(1, 5), item(3, 5)])
    assert [one.id for one in found] == [1, 3, 2]


def test_a_sent_event_is_not_sent_again():
    known = progress.start(BEGIN)
    known.add(item(1, 5))
    assert known.pending([item(1, 5)]) == []


def test_an_event_that_becomes_visible_late_is_sent():
    known = progress.start(BEGIN)
    known.add(item(2, 60))
    late = item(1, 59)
    assert known.since < late.timestamp
    assert known.pending([late, item(2, 60)]) == [late]
    known.add(late)
    assert known.newest == item(2, 60).timestamp


def test_progress_stays_small():
    known = progress.start(BEGIN)
    for number in range(10_000):
        known.add(item(number, number))
    assert len(known.told) <= OVERLAP.total_seconds() + 1


def test_progress_survives_its_storage():
    known = progress.start(BEGIN)
    known.add(item(7, 1))
    assert progress.load(known.dump()) == known


def test_a_new_receiver_gets_no_event_before_its_first():
    known = progress.start(BEGIN)
    assert known.pending([item(1, -1), item(2, 0)]) == [item(2, 0)]
    known.add(item(2, 0))
    assert progress.load(known.dump()).pending([item(1, -1), item(3, 1)]) == [item(3, 1)]
