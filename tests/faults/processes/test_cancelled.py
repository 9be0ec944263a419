"""A run is cancelled in each of its longer steps, as the UI does: it is marked as failed."""

from __future__ import annotations

import time

import pytest

from tests.faults.moments import begin, reached, slow, with_code

START_SECONDS = 45
"""Startup time of the cancelled release, long enough for a deferral during the rollout."""
QUIET_SECONDS = 45
"""Time limit until the run has ended. Tasks and triggers notice at the next heartbeat, within
5 s; a newly started triggerer needs 13 s for its first trigger."""


@pytest.mark.parametrize(
    ("step", "state"),
    [
        ("build_image", "running"),
        ("smoke_test", "running"),
        ("apply_deployment", "running"),
        ("apply_deployment", "deferred"),
    ],
)
def test_a_run_that_is_cancelled(
    *, faults, live, load, left_over, api, apps, environment, step, state
):
    expected = (
        "the run is failed; no lease, pod or half-done rollout of it is left, the release before "
        "is live as a whole, no request fails"
    )
    with faults.case(f"run cancelled while {step} is {state}", expected) as case:
        version = f"9.{time.time_ns()}"
        with load(live) as found:
            code = slow(live, START_SECONDS)
            if step == "smoke_test":
                code = with_code(live, f"import time\ntime.sleep({START_SECONDS})\n")
            run_id = begin(api, live, code, version=version)
            reached(run_id, step, state)
            time.sleep(2)  # now the step is in progress
            cancelled = time.monotonic()
            fail(api, run_id)
            while (left := left_over(live)) and time.monotonic() < cancelled + QUIET_SECONDS:
                time.sleep(0.5)
            seconds = time.monotonic() - cancelled
            time.sleep(6)  # a process that still runs would act within this time
            left = left_over(live)
            deployment = apps.read_namespaced_deployment(live.object_name, environment["NAMESPACE"])
        serving = deployment.metadata.labels["app.kubernetes.io/version"]
        status = deployment.status
        case.seen = f"nothing left after {seconds:.0f} s, version {serving} is live"
        assert left == []
        assert serving == live.manifest["version"]
        assert status.updated_replicas == status.available_replicas == status.replicas == 2
        case.load(found)


def fail(api, run_id):
    answer = api.session.patch(
        f"{api.base}/dags/deploy_service/dagRuns/{run_id}", json={"state": "failed"}, timeout=30
    )
    answer.raise_for_status()
