from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from manifest_engine.domain.record import statistics
from manifest_engine.domain.record.history import Place, Recorded
from manifest_engine.domain.record.statistics import StepEnd

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
PLACE = Place("pricing", "quotes", "dev")


def run(number: int, state: str, hours: float = 0, **more: Any) -> Recorded:
    values = {"dag_id": "deploy_service", "requested_by": "ada", "environment": "dev"}
    values |= {"component": "pricing", "service_name": "quotes", "version": "1"}
    when = NOON - timedelta(hours=hours)
    return Recorded(number, run_id=f"r{number}", state=state, requested_at=when, **values | more)


def live(item: Recorded, seconds: float) -> StepEnd:
    assert item.requested_at
    at = item.requested_at + timedelta(seconds=seconds)
    return StepEnd(item.run_id, "publish_route", "success", at)


def report(runs: list[Recorded], ends: list[StepEnd]) -> statistics.Report:
    return statistics.report({PLACE: runs}, ends, NOON.date(), 2)


def test_each_day_counts_what_succeeded_and_failed():
    runs = [run(1, "success", 24), run(2, "failed"), run(3, "success"), run(4, "running")]
    made = report(runs, [])
    assert [(good, bad) for _, good, bad in made.days] == [(1, 0), (1, 1)]
    assert (made.succeeded, made.failed) == (2, 1)


def test_dry_runs_restarts_removals_and_older_runs_do_not_count():
    others = [run(1, "success", dry_run=True), run(2, "success", 48)]
    others += [
        run(3 + at, "failed", dag_id=dag)
        for at, dag in enumerate(("restart_service", "remove_service"))
    ]
    made = report(others, [])
    assert (made.succeeded, made.failed) == (0, 0)
    assert (made.live_median, made.restore_median) == (None, None)


def test_the_time_until_live_is_from_the_request_to_the_url():
    runs = [run(at, "success") for at in range(1, 21)]
    made = report(runs, [live(item, item.number) for item in runs])
    assert (made.live_median, made.live_p95) == (10.5, 20)


def test_a_failure_counts_for_the_step_that_failed_first():
    ends = [
        StepEnd("r1", "smoke_test", "failed", NOON),
        StepEnd("r1", "build_image", "failed", NOON),
    ]
    runs = [run(1, "failed"), run(2, "failed"), run(3, "failed")]
    ends.append(StepEnd("r3", "build_image", "failed", NOON))
    assert report(runs, ends).failed_steps == (("build_image", 2), ("", 1))


def test_restoring_ends_with_the_next_live_deployment():
    runs = [run(1, "failed", 3), run(2, "failed", 2), run(3, "success", 1), run(4, "success")]
    made = report(runs, [live(item, 60) for item in runs[2:]])
    assert made.restore_median == 2 * 3600 + 60


def test_runs_are_filtered_by_values_and_sorted_by_age():
    runs = [[run(1, "failed"), run(3, "success")], [run(2, "failed", requested_by="bob")]]
    assert [item.number for item in statistics.newest(runs, state="failed", action="")] == [2, 1]
    assert [item.number for item in statistics.newest(runs, requested_by="bob")] == [2]
