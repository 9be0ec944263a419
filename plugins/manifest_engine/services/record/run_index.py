"""An index of the runs of each service, in the memory of one API server.

Airflow's database has no index on a run's conf. The service of a run never changes, so each API
server reads each run once: first the newest runs in blocks, then only runs with higher numbers. The
states of unfinished runs are read again each time. A cleared run is unfinished again.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from threading import Lock

from manifest_engine.domain.record.history import Place, Recorded

RUNS_MAX = 100_000
"""Maximum number of runs in the first reading."""
RUNS_OF_ONE_MAX = 1_000
"""Maximum number of runs in the index for one service in one environment."""
_BLOCK = 5_000
_RECENT = 200
"""Number of runs of the first reading that are read again in the first minute."""
_LATE_SECONDS = 60.0
"""A run can become visible after a run with a higher number, because its transaction ended later.
Runs that were added in this time are therefore read again."""
_CHECK_SECONDS = 60.0
"""How often the state of each service's newest ended run is read again, because a user can mark or
clear an ended run."""

ReadRuns = Callable[[int | None, int | None, int, Collection[int]], list[Recorded]]
ReadActive = Callable[[], dict[int, str]]
ReadStates = Callable[[Iterable[int]], dict[int, str]]


class RunIndex:
    """
    :param read: reads runs, as ``airflow_internals.recorded``.
    :param active: reads the states of all queued and running runs, by number.
    :param states: reads the states of runs by number.
    """

    def __init__(self, read: ReadRuns, active: ReadActive, states: ReadStates) -> None:
        self._read, self._active, self._states = read, active, states
        self._lock = Lock()
        self._runs: dict[Place, deque[Recorded]] = {}
        self._unfinished: dict[int, Place] = {}
        self._known: set[int] = set()
        """Numbers above ``_settled`` of runs in the index."""
        self._settled: int | None = None
        """All runs up to this number have been read, or are older than the index."""
        self._seen: deque[tuple[float, int]] = deque()
        self._snapshot: dict[Place, list[Recorded]] | None = None
        self._checked = 0.0

    def all_runs(self) -> Mapping[Place, list[Recorded]]:
        """The runs of all services, the newest first; the same object until a run changes."""
        with self._lock:
            if self._snapshot is None:
                self._snapshot = {place: list(reversed(runs)) for place, runs in self._runs.items()}
            return self._snapshot

    def refresh(self) -> None:
        """Read the runs that were added, and the states that can have changed."""
        with self._lock:
            if self._settled is None:
                self._load()
            else:
                after = self._settled
                while block := self._read(after, None, _BLOCK, self._known):
                    self._add(block)
                    after = block[-1].number
                self._update()
            self._settle()

    def _load(self) -> None:
        found: list[Recorded] = []
        while len(found) < RUNS_MAX:
            block = self._read(None, found[-1].number if found else None, _BLOCK, ())
            found += block
            if len(block) < _BLOCK:
                break
        self._add(reversed(found))
        recent = found[:_RECENT]
        self._known = {run.number for run in recent}
        self._settled = recent[-1].number - 1 if recent else 0
        self._checked = time.monotonic()

    def _add(self, runs: Iterable[Recorded]) -> None:
        for run in runs:
            self._snapshot = None
            known = self._runs.setdefault(run.place, deque(maxlen=RUNS_OF_ONE_MAX))
            late = bool(known) and known[-1].number > run.number
            known.append(run)
            if late:
                self._replace(known, sorted(known, key=lambda item: item.number))
            self._known.add(run.number)
            if not run.has_ended:
                self._unfinished[run.number] = run.place

    def _settle(self) -> None:
        now, settled = time.monotonic(), self._settled or 0
        self._seen.append((now, max(self._known, default=settled)))
        while self._seen[0][0] < now - _LATE_SECONDS:
            settled = max(settled, self._seen.popleft()[1])
        self._settled = settled
        self._known = {number for number in self._known if number > settled}

    def _replace(self, runs: deque[Recorded], by: Iterable[Recorded]) -> None:
        self._snapshot = None
        kept = list(by)
        runs.clear()
        runs.extend(kept)

    def _update(self) -> None:
        active = self._active()
        for number in active.keys() - self._unfinished.keys():
            for run in self._read(number - 1, None, 1, ()):
                self._unfinished[run.number] = run.place
        asked = {n: place for n, place in self._unfinished.items() if n not in active}
        if time.monotonic() - self._checked > _CHECK_SECONDS:
            self._checked = time.monotonic()
            asked |= self._newest()
        states = active | (self._states(asked) if asked else {})
        for number, place in (asked | self._unfinished).items():
            state, runs = states.get(number), self._runs.get(place)
            if runs is not None:
                self._set_state(runs, number, state)
            if state in (None, "success", "failed"):
                self._unfinished.pop(number, None)
            else:
                self._unfinished[number] = place

    def _newest(self) -> dict[int, Place]:
        """The runs that the table of services shows."""
        return {
            run.number: place
            for place, runs in self._runs.items()
            if (run := next((run for run in reversed(runs) if not run.dry_run), None))
        }

    def _set_state(self, runs: deque[Recorded], number: int, state: str | None) -> None:
        if state is None:  # the run was deleted
            self._replace(runs, [run for run in runs if run.number != number])
        elif any(run.number == number and run.state != state for run in reversed(runs)):
            self._replace(
                runs, [replace(x, state=state) if x.number == number else x for x in runs]
            )
