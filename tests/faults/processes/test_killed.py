"""The process of every task is killed with SIGKILL, during public requests."""

from __future__ import annotations

import time
import uuid

import pytest
import requests

from sandbox.airflow.deploy import follow, upload
from tests.faults.killer import Killer

STEPS = {
    "validate", "download_artifact", "build_image", "push_image", "smoke_test",
    "apply_deployment", "publish_route", "watch_release", "record_release",
}  # fmt: skip
MIDDLE = {"build_image": 0.3, "smoke_test": 0.8, "apply_deployment": 1.2} | dict.fromkeys(
    (
        "validate",
        "download_artifact",
        "push_image",
        "publish_route",
        "watch_release",
        "record_release",
    ),
    0.05,
)
"""Seconds after the start of a step; the three long steps then still run."""


@pytest.mark.parametrize(
    ("when", "delays", "surely"),
    [
        ("at its start", {}, STEPS),
        (
            "0.3 to 1.2 s into build, smoke test and rollout, sooner in short steps",
            MIDDLE,
            {"build_image", "smoke_test", "apply_deployment"},
        ),
    ],
)
def test_every_task_killed_once(*, faults, live, load, left_over, api, when, delays, surely):
    expected = "the run succeeds by retries, nothing is left over, no request fails"
    with faults.case(f"SIGKILL to each task, {when}", expected) as case:
        text = uuid.uuid4().hex[:6]
        live.manifest["version"] = f"1.0.{text}"
        name, version = live.manifest["serviceName"], live.manifest["version"]
        upload(
            live.zip(live.source("plain-service", text)),
            f"datafactory/e2e/{name}/{version}/{name}-{version}.zip",
        )
        run_id = f"faults-{time.time_ns()}"
        killer = Killer(run_id, delays)
        killer.start()
        try:
            with load(live) as found:
                api.trigger("deploy_service", live.manifest, run_id)
                outcome = follow(api, run_id)
        finally:
            killed = killer.stop()
        tries = {step: outcome.steps.get(step, {}).get("tries") for step in killed}
        case.seen = f"{outcome.state} in {outcome.seconds} s; tries: {tries}"
        assert outcome.ok, outcome.error
        assert surely <= set(killed)
        assert all(count and count >= 2 for count in tries.values()), tries
        assert left_over(live) == []
        assert requests.get(outcome.url, timeout=10).json()["service"] == text
        case.load(found)
