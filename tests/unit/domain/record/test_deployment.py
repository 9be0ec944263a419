"""The state, the steps and the events of a deployment follow from Airflow's rows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from manifest_engine.domain.record import deployment
from manifest_engine.domain.record.audit import Run
from manifest_engine.domain.record.deployment import Facts, Task

BEGIN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
MANIFEST = {"component": "pricing", "serviceName": "quotes", "version": "1", "environment": "dev"}


def facts(
    run_state: str = "running", note: str = "", xcoms: Any = None, **states: str | None
) -> Facts:
    run = Run(
        *("deploy_service", "api__1", run_state, MANIFEST, "rest_api", "ada"),
        *(BEGIN, BEGIN, None),
    )
    end = BEGIN + timedelta(seconds=2.5)
    tasks = [
        Task(name, states.get(name), int(name in states), BEGIN, end if name in states else None)
        for name in reversed(deployment.STEPS)
    ]
    return Facts(run, note, tasks, xcoms or {})


@pytest.mark.parametrize(
    ("given", "state"),
    [
        (facts("queued"), "queued"),
        (facts("running", validate="queued"), "queued"),
        (facts("running", validate="running"), "running"),
        (facts("running", validate="up_for_retry"), "running"),
        (facts("running", approve="awaiting_input"), "waiting for approval"),
        (facts("running", approve="deferred"), "waiting for approval"),
        (facts("running", publish_route="success", watch_release="running"), "running"),
        (
            facts(
                "running",
                publish_route="success",
                watch_release="success",
                describe_image="running",
            ),
            "live",
        ),
        (facts("success", publish_route="success"), "live"),
        (facts("success", validate="success"), "planned"),
        (facts("failed", validate="failed"), "failed"),
        (facts("failed"), "failed"),
        (facts("failed", "Cancelled by ada.", build_image="failed"), "cancelled"),
        (
            facts(
                "failed",
                "",
                {("apply_deployment", "outcome"): "rolled back"},
                apply_deployment="failed",
            ),
            "rolled back",
        ),
    ],
)
def test_the_state_is_one_of_the_documented_words(given: Facts, state: str) -> None:
    assert deployment.summary(given)["state"] == state


def test_the_steps_are_in_order_with_their_seconds() -> None:
    steps = deployment.summary(facts(validate="success", approve="skipped"))["steps"]
    assert [step["name"] for step in steps] == list(deployment.STEPS)
    assert steps[0] == {
        "name": "validate",
        "state": "succeeded",
        "tries": 1,
        "startedAt": "2026-01-02T03:04:05.000+00:00",
        "endedAt": "2026-01-02T03:04:07.500+00:00",
        "seconds": 2.5,
    }
    assert (steps[1]["state"], steps[1]["seconds"]) == ("waiting", None)
    assert steps[4]["state"] == "skipped"


def test_a_failure_names_the_first_failed_step_and_its_sentence() -> None:
    xcoms = {("build_image", "error"): "pip found no such version."}
    made = deployment.summary(facts("failed", "", xcoms, build_image="failed"))
    assert (made["failedStep"], made["error"]) == ("build_image", "pip found no such version.")
    made = deployment.summary(facts("failed", build_image="failed"))
    assert made["error"] == "build_image failed without an error sentence; see its log."
    assert deployment.summary(facts("running", build_image="failed"))["error"] is None


def test_what_is_known_is_shown() -> None:
    xcoms = {
        ("validate", "return_value"): {
            "manifest": MANIFEST | {"port": 1},
            "environment": {"artifactory": {"repository": "datafactory"}},
        },
        ("download_artifact", "return_value"): {"sha256": "abc"},
        ("push_image", "return_value"): {"digest": "sha256:1"},
        ("publish_route", "return_value"): {"url": "https://example.com/x"},
        ("approve", "return_value"): {"approvedBy": "grace"},
    }
    made = deployment.summary(facts("success", "", xcoms, publish_route="success"))
    assert {key: made[key] for key in MANIFEST} == MANIFEST
    assert made["artifact"] == "datafactory/pricing/quotes/1/quotes-1.zip"
    assert (made["artifactSha256"], made["digest"]) == ("abc", "sha256:1")
    assert (made["url"], made["approvedBy"]) == ("https://example.com/x", "grace")
    assert (made["requestedBy"], made["requestedFrom"]) == ("ada", "rest_api")


def test_an_xcom_of_another_type_hides_nothing_else() -> None:
    made = deployment.summary(facts(xcoms={("validate", "return_value"): ["?"]}))
    assert made["component"] == "pricing"


def test_an_event_has_the_same_id_on_every_server() -> None:
    given = facts("running", validate="success", download_artifact="running")
    found = deployment.events(deployment.summary(given))
    assert [(name, kind) for name, kind, _ in found] == [
        ("01-validate-1-succeeded", "step"),
        ("02-download_artifact-1-running", "step"),
        ("99-running", "deployment"),
    ]
    assert "steps" not in found[-1][2]


@pytest.mark.parametrize(
    ("dag_id", "action", "state"),
    [
        ("rollback_service", "rollback", "live"),
        ("restart_service", "restart", "live"),
        ("remove_service", "remove", "removed"),
    ],
)
def test_rollbacks_restarts_and_removals_are_summarised_like_deployments(
    dag_id: str, action: str, state: str
) -> None:
    validate = "validate_removal" if action == "remove" else f"validate_{action}"
    steps = [validate] if action == "remove" else [validate, "publish_route", "watch_release"]
    tasks = [Task(name, "success", 1, BEGIN, BEGIN) for name in reversed(steps)]
    run = Run(dag_id, "api__1", "success", MANIFEST, "rest_api", "ada", BEGIN, BEGIN, BEGIN)
    xcoms = {(validate, "push"): {"digest": "sha256:2", "builtFrom": {"bases": {"a:1": "d"}}}}
    made = deployment.summary(Facts(run, "", tasks, xcoms))
    assert (made["action"], made["state"], made["steps"][0]["name"]) == (action, state, validate)
    assert made["digest"] == (None if action == "remove" else "sha256:2")
    if action != "remove":
        assert deployment.bases(Facts(run, "", tasks, xcoms)) == {"a:1": "d"}


@pytest.mark.parametrize(
    ("dag_id", "more", "text"),
    [
        ("deploy_service", {}, "deploy pricing-quotes 1.4.0 to dev"),
        ("deploy_service", {"dryRun": True}, "dry run of deploy pricing-quotes 1.4.0 to dev"),
        ("deploy_service", {"rebuild": {"a": 1}}, "rebuild pricing-quotes 1.4.0 in dev"),
        ("rollback_service", {"version": None}, "rollback pricing-quotes in dev"),
        ("remove_service", {"version": None}, "remove pricing-quotes from dev"),
    ],
)
def test_the_note_of_a_run_summarises_the_run(dag_id, more, text):
    conf = {"component": "pricing", "serviceName": "quotes", "version": "1.4.0"}
    assert deployment.note(dag_id, conf | {"environment": "dev"} | more) == text


def test_the_note_of_any_conf_is_short_and_printable():
    assert deployment.note("deploy_service", {}) == "deploy"
    keys = ("component", "serviceName", "version", "environment")
    made = deployment.note("deploy_service", dict.fromkeys(keys, "x\0" * 9999))
    assert len(made) < 1_000
    assert made.isprintable()
