"""Readings of a system that is slow, fails, or answers."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Event
from types import SimpleNamespace

import pytest
from manifest_engine.domain.core.errors import ClusterError
from manifest_engine.services.record import readings
from manifest_engine.services.record.readings import Readings


def counted(value: object) -> tuple[Callable[[], object], list[None]]:
    calls: list[None] = []

    def read() -> object:
        calls.append(None)
        if isinstance(value, Exception):
            raise value
        return value

    return read, calls


def test_a_value_is_read_once_and_then_known():
    read, calls = counted(7)
    found: Readings[str, object] = Readings("The cluster", most=5)
    first = found.get({"dev": read})["dev"]
    assert (first.value, first.present, first.problem) == (7, True, None)
    assert found.get({"dev": read})["dev"] is first
    assert len(calls) == 1


def test_a_failure_keeps_the_last_value_and_says_why(monkeypatch):
    monkeypatch.setattr(readings, "FRESH_SECONDS", 0.0)
    found: Readings[str, object] = Readings("The cluster", most=5)
    found.get({"dev": counted(7)[0]})
    known = found.get({"dev": counted(ClusterError("The API server is away."))[0]})["dev"]
    assert (known.value, known.present) == (7, False)
    assert known.problem == "The API server is away."


def test_an_unexpected_error_shows_no_internals():
    found: Readings[str, object] = Readings("The registry", most=5)
    known = found.get({"dev": counted(RuntimeError("secret"))[0]})["dev"]
    assert known.problem == "The registry cannot be read (RuntimeError)."


@pytest.mark.parametrize(("fresh", "calls_made"), [(3600.0, 1), (0.0, 2)])
def test_a_value_can_count_for_longer(monkeypatch, fresh, calls_made):
    monkeypatch.setattr(readings, "FRESH_SECONDS", 0.0)
    read, calls = counted(7)
    found: Readings[str, object] = Readings("The registry", most=5, fresh_seconds=fresh)
    found.get({"a": read})
    found.get({"a": read})
    assert len(calls) == calls_made


def test_a_late_reading_delays_no_second_answer(monkeypatch):
    monkeypatch.setattr(readings, "WAIT_SECONDS", 0.2)
    answers = Event()
    found: Readings[str, bool] = Readings("The cluster", most=5)
    first = found.get({"dev": lambda: answers.wait(60)})["dev"]
    assert first.problem == "The cluster has not answered within 0 s."
    began = []
    assert found.get({"dev": lambda: bool(began.append(None))})["dev"] is first
    assert began == []
    answers.set()
    until = time.monotonic() + 30
    while not found.get({"dev": lambda: False})["dev"].present:
        assert time.monotonic() < until
    assert found.get({"dev": lambda: False})["dev"].value is True


def test_only_the_newest_keys_are_remembered():
    read, calls = counted(7)
    found: Readings[int, object] = Readings("The cluster", most=2)
    for key in (1, 2, 3, 1):
        found.get({key: read})
    assert len(calls) == 4
    found.get({3: read})
    assert len(calls) == 4


def test_the_next_reading_begins_early_and_delays_no_answer(monkeypatch):
    now, answers, began = [0.0], Event(), Event()
    monkeypatch.setattr(readings, "time", SimpleNamespace(monotonic=lambda: now[0]))
    found: Readings[str, object] = Readings("The cluster", most=5)
    first = found.get({"dev": lambda: 1})["dev"]

    def second() -> int:
        began.set()
        assert answers.wait(60)
        return 2

    now[0] = 3.0
    assert found.get({"dev": second})["dev"] is first
    assert not began.is_set()
    now[0] = 4.5  # still fresh
    assert found.get({"dev": second})["dev"] is first
    assert began.wait(60)
    assert found.get({"dev": second})["dev"] is first
    answers.set()
    now[0] = 5.0  # no longer fresh: this answer waits for the reading
    assert found.get({"dev": second})["dev"].value == 2
