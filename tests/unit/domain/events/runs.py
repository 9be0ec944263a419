"""Runs as Airflow records them, for the tests of events, messages and metrics."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from manifest_engine.domain.events.facts import RunFacts
from manifest_engine.domain.record.audit import Run

BEGIN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
END = BEGIN + timedelta(seconds=90)
CONF = {"component": "pricing", "serviceName": "quotes", "version": "1.4.0", "environment": "dev"}
REPOSITORY = "team.azurecr.io/datafactory/pricing/quotes"
DIGEST = "sha256:" + "ab" * 32
IMAGE = f"{REPOSITORY}@{DIGEST}"
URL = "https://dev.example.com/datafactory/pricing/quotes"
ARTIFACT = "datafactory/pricing/quotes/1.4.0/quotes-1.4.0.zip"
SUMMARY = CONF | {"url": URL, "digest": DIGEST, "image": IMAGE, "changed": True, "overwritten": []}
LIVE: dict[tuple[str, str], Any] = {
    ("validate", "return_value"): {"manifest": CONF, "artifact": ARTIFACT},
    ("build_image", "return_value"): {"reused": False},
    ("push_image", "return_value"): {"image": IMAGE, "digest": DIGEST, "pushed": True},
    ("apply_deployment", "return_value"): {"changed": True, "first": True},
    ("publish_route", "return_value"): {"url": URL},
    ("record_release", "return_value"): SUMMARY,
}
STEPS = ("validate", "build_image", "push_image", "apply_deployment", "publish_route")
DONE = dict.fromkeys((*STEPS, "watch_release", "record_release"), "success")


def facts(
    state: str = "success",
    *,
    dag: str = "deploy_service",
    states: dict[str, str] | None = None,
    xcoms: dict[tuple[str, str], Any] | None = None,
    note: str = "",
    message: str = "",
    ended: datetime | None = END,
    run_id: str = "api__1",
) -> RunFacts:
    """A deployment that is live by default."""
    return RunFacts(
        run=Run(dag, run_id, state, CONF, "operator", "ada", BEGIN, BEGIN, ended),
        note=note,
        states=DONE if states is None else states,
        seconds={"build_image": 12.5, "apply_deployment": 3.0, "watch_release": 10.0},
        xcoms=LIVE if xcoms is None else xcoms,
        message=message,
        base_url="https://airflow.example.com",
    )


def failed(step: str = "smoke_test", outcome: str = "failed", **given: Any) -> RunFacts:
    """A deployment that failed in a step."""
    xcoms = {
        ("validate", "return_value"): {"manifest": CONF, "artifact": ARTIFACT},
        ("push_image", "return_value"): {"image": IMAGE, "digest": DIGEST, "pushed": False},
        (step, "error"): "The service answered 500 instead of 200.",
        (step, "outcome"): outcome,
        (step, "cause"): "SmokeTestFailed",
    }
    states = {"validate": "success", "push_image": "success", step: "failed"}
    return facts("failed", states=states, xcoms=xcoms, **given)
