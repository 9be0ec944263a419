"""Reads outside systems in threads, so that a slow system does not delay an answer for long.

An answer waits at most 2 seconds for a reading. A reading counts as the present state for 5
seconds. An answer near the end of this time starts the next reading, so that later answers do not
wait.
"""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from concurrent.futures import Future, wait
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from threading import Lock, Thread
from typing import Any, Generic, TypeVar

from manifest_engine.domain.core import printable
from manifest_engine.domain.core.errors import ManifestEngineError

WAIT_SECONDS = 2.0
"""How long an answer waits for readings."""
FRESH_SECONDS = 5.0
"""How long a reading, or its failure, counts as the present state."""
_AHEAD = 0.8
"""Share of that time after which an answer begins the next reading without waiting for it."""
_log = logging.getLogger(__name__)

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


@dataclass(frozen=True)
class Known(Generic[Value]):
    """The last reading of a value."""

    value: Value | None = None
    """The last known value; None before the first successful reading."""
    present: bool = False
    """Whether ``value`` is the present state."""
    at: datetime | None = None
    """When ``value`` was read."""
    problem: str | None = None
    """Why the present state is not known, as a sentence."""


@dataclass
class _Reading(Generic[Value]):
    last: Known[Value]
    late: Known[Value] = field(default_factory=Known)
    future: Future[None] | None = None
    began: float = 0.0
    ended: float = float("-inf")


class Readings(Generic[Key, Value]):
    """
    :param what: the outside system, as the subject of a sentence, such as ``The cluster``.
    :param most: maximum number of keys in the cache.
    :param fresh_seconds: how long a value counts as the present state, if not ``FRESH_SECONDS``. A
        failure counts for ``FRESH_SECONDS``.
    """

    def __init__(self, what: str, *, most: int, fresh_seconds: float | None = None) -> None:
        self._what = what
        self._most = most
        self._fresh = fresh_seconds
        self._lock = Lock()
        self._readings: OrderedDict[Key, _Reading[Value]] = OrderedDict()

    def get(self, reads: Mapping[Key, Callable[[], Value]]) -> dict[Key, Known[Value]]:
        """The present value of each key, or the last known value with a reason.

        The object of a key stays the same until another reading has ended or is late.

        :param reads: reads the value of a key; called in a thread.
        """
        with self._lock:
            begun = [self._begin(key, read) for key, read in reads.items()]
        if waiting := [future for future in begun if future is not None]:
            wait(waiting, timeout=WAIT_SECONDS)
        with self._lock:
            found = {key: self._known(self._readings[key]) for key in reads}
            while len(self._readings) > self._most:
                self._readings.popitem(last=False)
            return found

    def _begin(self, key: Key, read: Callable[[], Value]) -> Future[None] | None:
        """Start a reading if needed, and return the reading to wait for, if any."""
        nothing: Known[Value] = Known(problem=f"{self._what} has not answered yet.")
        reading, now = self._readings.setdefault(key, _Reading(nothing)), time.monotonic()
        self._readings.move_to_end(key)
        age, fresh = now - reading.ended, self._fresh_seconds(reading)
        if reading.future is not None:
            # Only the first answers wait for a late reading.
            return reading.future if age >= fresh and now - reading.began < WAIT_SECONDS else None
        if age < (_AHEAD * fresh if reading.last.present else fresh):
            return None
        reading.future, reading.began = Future(), now
        future = reading.future
        Thread(target=self._run, args=(read, reading, future), daemon=True).start()
        return future if age >= fresh else None

    def _fresh_seconds(self, reading: _Reading[Value]) -> float:
        own = self._fresh if reading.last.present else None
        return FRESH_SECONDS if own is None else own

    def _run(
        self, read: Callable[[], Value], reading: _Reading[Value], future: Future[None]
    ) -> None:
        value: Any = None
        try:
            value, problem = read(), None
        except ManifestEngineError as error:
            problem = str(error)
        except Exception as error:
            _log.exception("%s cannot be read", self._what)
            problem = f"{self._what} cannot be read ({type(error).__name__})."
        with self._lock:
            reading.ended, reading.future = time.monotonic(), None
            if problem is None:
                reading.last = Known(value, True, datetime.now(UTC))
            else:
                told = printable.excerpt(problem, printable.LINE_MAX)
                reading.last = replace(reading.last, present=False, problem=told)
        future.set_result(None)

    def _known(self, reading: _Reading[Value]) -> Known[Value]:
        age = time.monotonic() - reading.ended
        if reading.future is None or age < self._fresh_seconds(reading):
            return reading.last
        problem = f"{self._what} has not answered within {WAIT_SECONDS:.0f} s."
        found = replace(reading.last, present=False, problem=problem)
        if found != reading.late:
            reading.late = found
        return reading.late
