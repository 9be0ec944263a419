"""The contents of an audit entry."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from manifest_engine.domain.record import audit

CONF = {"component": "pricing", "serviceName": "quotes", "version": "1.0", "environment": "dev"}
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
SUMMARY = {"version": "1.0", "digest": "sha256:aa", "url": "http://x/y", "overwritten": ["x"]}


def run(state="success", dag="deploy_service", triggered_by="ui", **conf):
    return audit.Run(dag, "run-1", state, CONF | conf, triggered_by, "ada", NOW, NOW, NOW)


def test_a_successful_run_records_requester_service_source_and_image():
    xcoms = {
        ("record_release", "return_value"): SUMMARY,
        ("validate", "return_value"): {"manifest": CONF | {"replicas": 2}},
        ("approve", "return_value"): {"approvedBy": "grace", "approvedAt": "2026-01-02T03:04:00Z"},
    }
    assert audit.entry(run(), xcoms) == {
        "schema": 1,
        "event": "ended",
        "action": "deploy",
        "by": "ada",
        "from": "ui",
        "dag": "deploy_service",
        "run": "run-1",
        "requestedAt": "2026-01-02T03:04:05.000+00:00",
        "startedAt": "2026-01-02T03:04:05.000+00:00",
        "component": "pricing",
        "serviceName": "quotes",
        "version": "1.0",
        "environment": "dev",
        "manifest": CONF | {"replicas": 2},
        "endedAt": "2026-01-02T03:04:05.000+00:00",
        "result": "success",
        "digest": "sha256:aa",
        "url": "http://x/y",
        "overwritten": ["x"],
        "approvedBy": "grace",
        "approvedAt": "2026-01-02T03:04:00Z",
    }


def test_the_url_of_a_release_that_could_not_be_recorded_is_that_of_its_route():
    xcoms = {("publish_route", "return_value"): {"url": "http://x/y", "status": 200}}
    assert audit.entry(run(), xcoms)["url"] == "http://x/y"


def test_a_failed_run_records_step_sentence_and_image():
    xcoms = {
        ("smoke_test", "error"): "It answers 500.",
        ("push_image", "return_value"): {"digest": "sha256:bb"},
    }
    made = audit.entry(run("failed"), xcoms, failed="smoke_test", message="task_failure")
    assert (made["failedStep"], made["sentence"]) == ("smoke_test", "It answers 500.")
    assert made["digest"] == "sha256:bb"


def test_a_rollback_records_version_and_digest_of_its_target():
    xcoms = {
        ("validate_rollback", "return_value"): {"manifest": CONF | {"version": "0.9"}},
        ("validate_rollback", "push"): {"digest": "sha256:cc"},
    }
    made = audit.entry(run("failed", "rollback_service", version=None), xcoms)
    assert (made["action"], made["version"], made["digest"]) == ("rollback", "0.9", "sha256:cc")


@pytest.mark.parametrize(
    ("message", "failed", "sentence"),
    [
        ("timed_out", "smoke_test", "longer than its DAG allows"),
        ("task_failure", "build_image", "build_image failed without an error"),
        ("", None, "ended (by hand)"),
    ],
)
def test_a_failure_without_a_sentence_gets_a_default(message, failed, sentence):
    made = audit.entry(run("failed"), {}, failed=failed, message=message)
    assert sentence in made["sentence"]


@pytest.mark.parametrize(
    ("airflows", "ours"), [("rest_api", "api"), ("timetable", "schedule"), ("ui", "ui")]
)
def test_the_source_of_a_run_is_a_plain_word(airflows, ours):
    made = audit.entry(run("running", triggered_by=airflows), {})
    assert (made["from"], made["event"]) == (ours, "started")
    assert "result" not in made


def test_the_line_of_a_scheduled_run_names_the_schedule():
    nightly = audit.Run(
        "rebuild_services", "night-1", "running", {}, "timetable", None, NOW, NOW, None
    )
    assert audit.line(audit.entry(nightly, {})).endswith("in all environments, by schedule")


def test_the_line_of_a_failed_run_has_the_sentence_below():
    xcoms = {("smoke_test", "error"): "It answers 500."}
    text = audit.line(audit.entry(run("failed"), xcoms, failed="smoke_test"))
    assert text == (
        "2026-01-02T03:04:05  failed   deploy    pricing-quotes 1.0 in dev, by ada (ui)\n"
        "    smoke_test: It answers 500."
    )


def test_a_deployment_triggered_by_the_nightly_run_is_a_rebuild_from_a_dag():
    rebuild = {"releaseHash": "h", "digest": "sha256:aa", "bases": {}, "noCache": False}
    made = audit.entry(run(triggered_by="operator", rebuild=rebuild), {})
    assert (made["action"], made["from"]) == ("rebuild", "dag")
    assert made["manifest"]["rebuild"] == rebuild


def test_a_nightly_run_covers_all_services_and_records_its_sentence():
    nightly = audit.Run(
        "rebuild_services", "night-1", "failed", {"force": True}, "timetable", None, NOW, NOW, NOW
    )
    xcoms = {("summarise", "error"): "1 service could not be rebuilt."}
    made = audit.entry(nightly, xcoms, failed="summarise")
    assert (made["action"], made["by"], made["from"]) == ("rebuild", "unknown", "schedule")
    assert made["manifest"] == {"force": True}
    assert "rebuild   all services in all environments" in audit.line(made)
