"""The metrics of a run: counts by state, step and cause, durations, and those of DORA."""

from __future__ import annotations

from datetime import timedelta

from manifest_engine.domain.events import measure

from tests.unit.domain.events.runs import facts, failed


def of(run, name):
    return [item for item in measure.of_run(run) if item.name == f"manifest_engine.{name}"]


def test_a_live_deployment():
    (counted,) = of(facts(), "deployments")
    assert counted.tags == {"environment": "dev", "action": "deploy", "state": "live"}
    (lead,) = of(facts(), "lead_time")
    assert lead.duration == timedelta(seconds=90)
    steps = {item.tags["step"]: item.duration for item in of(facts(), "step_duration")}
    assert steps["build_image"] == timedelta(seconds=12.5)
    assert not of(facts(), "failures")
    assert not of(facts(), "change_failures")


def test_a_failure_has_step_and_cause():
    (item,) = of(failed(), "failures")
    assert item.tags == {"environment": "dev", "step": "smoke_test", "cause": "SmokeTestFailed"}
    assert not of(failed(), "change_failures")  # users saw nothing of it
    (item,) = of(facts("failed", states={}, xcoms={}), "failures")
    assert item.tags == {"environment": "dev", "step": "run", "cause": "failed"}


def test_a_release_that_was_rolled_back_is_a_failed_change():
    run = failed("apply_deployment", "rolled back")
    assert len(of(run, "change_failures")) == 1
    (restored,) = of(run, "restore_time")
    assert restored.duration == timedelta(seconds=13)


def test_a_rollback_by_a_person_is_a_failed_change():
    run = facts(dag="rollback_service")
    assert len(of(run, "change_failures")) == 1
    assert of(run, "restore_time")[0].duration == timedelta(seconds=90)
    assert not of(run, "lead_time")


def test_a_dry_run_is_not_counted():
    assert not list(measure.of_run(facts(states={"validate": "success"}, xcoms={})))
