"""Statistics of deployments: results per day, failures by step, and durations."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

from manifest_engine.domain.record import deployment
from manifest_engine.domain.record.history import Place, Recorded

_DEPLOYING = frozenset({"deploy", "rebuild", "rollback"})
"""Actions that roll out a release."""


class StepEnd(NamedTuple):
    """The end of a failed step or of ``publish_route``."""

    run_id: str
    step: str
    state: str | None
    """Airflow's state."""
    at: datetime | None


@dataclass(frozen=True)
class Report:
    """The statistics of a period. Durations are in seconds; None if there is nothing to measure."""

    days: tuple[tuple[date, int, int], ...]
    """Each day, the number of successful and of failed deployments; the oldest day first."""
    failed_steps: tuple[tuple[str, int], ...]
    """Number of deployments by the step that failed first; the highest number first."""
    succeeded: int
    failed: int
    live_median: float | None
    """Time from the request of a deployment to the answer at the public URL."""
    live_p95: float | None
    restore_median: float | None
    """Time from a failed deployment to the service's next live deployment."""


def report(
    runs: Mapping[Place, Iterable[Recorded]], ends: Iterable[StepEnd], today: date, days: int
) -> Report:
    """The statistics of the last days.

    :param runs: the runs of each service, in any order.
    :param ends: the ends of their steps.
    """
    chosen = {place: _deployments(found, today, days) for place, found in runs.items()}
    shown = [run for found in chosen.values() for run in found]
    ends = list(ends)
    live_at = {end.run_id: end.at for end in ends if end.step == "publish_route" and end.at}
    good, bad = _by_day(shown, "success"), _by_day(shown, "failed")
    period = [today - timedelta(days=back) for back in range(days - 1, -1, -1)]
    seconds = sorted(
        (live_at[run.run_id] - run.requested_at).total_seconds()
        for run in shown
        if run.state == "success" and run.requested_at and run.run_id in live_at
    )
    restored = [gap for found in chosen.values() for gap in _restored(found, live_at)]
    return Report(
        tuple((day, good[day], bad[day]) for day in period),
        _failed_steps(shown, ends),
        good.total(),
        bad.total(),
        statistics.median(seconds) if seconds else None,
        seconds[min(len(seconds) - 1, round(0.95 * len(seconds)))] if seconds else None,
        statistics.median(restored) if restored else None,
    )


def _deployments(runs: Iterable[Recorded], today: date, days: int) -> list[Recorded]:
    """The deployments of the period, the oldest first."""
    first = today - timedelta(days=days - 1)
    found = [
        run
        for run in runs
        if run.action in _DEPLOYING
        and not run.dry_run
        and run.requested_at
        and first <= run.requested_at.date() <= today
    ]
    return sorted(found, key=lambda run: run.number)


def _by_day(runs: Iterable[Recorded], state: str) -> Counter[date]:
    return Counter(
        run.requested_at.date() for run in runs if run.state == state and run.requested_at
    )


def _failed_steps(runs: Iterable[Recorded], ends: Iterable[StepEnd]) -> tuple[tuple[str, int], ...]:
    order = {name: at for at, name in enumerate(deployment.ALL_STEPS)}
    first: dict[str, str] = {}
    failed = [end for end in ends if end.state == "failed"]
    for end in sorted(failed, key=lambda end: order.get(end.step, len(order))):
        first.setdefault(end.run_id, end.step)
    counted = Counter(first.get(run.run_id, "") for run in runs if run.state == "failed")
    return tuple(counted.most_common())


def _restored(runs: Iterable[Recorded], live_at: Mapping[str, datetime]) -> Iterable[float]:
    broken: datetime | None = None
    for run in runs:
        if run.state == "failed":
            broken = broken or run.requested_at
        elif run.state == "success" and broken and run.run_id in live_at:
            yield (live_at[run.run_id] - broken).total_seconds()
            broken = None


def newest(runs: Iterable[Iterable[Recorded]], **wanted: Any) -> list[Recorded]:
    """Runs with these values, the newest first. An empty value matches every run."""
    asked = {key: value for key, value in wanted.items() if value}
    found = [
        run
        for some in runs
        for run in some
        if all(getattr(run, key) == value for key, value in asked.items())
    ]
    return sorted(found, key=lambda run: -run.number)
