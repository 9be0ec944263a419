"""Pods that a task waits for are deleted: by a person, a garbage collector or a spot node."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from kubernetes import client

from sandbox.airflow.deploy import follow
from tests.compose.conftest import log
from tests.faults.moments import IN_SMOKE_POD, begin, reached, slow, told, with_code

START_SECONDS = 20
"""Longer than the task itself waits, so that the rollout continues in the triggerer."""


@pytest.fixture
def pods(cluster, environment) -> Callable[[str], dict[str, Any]]:
    """Returns the pods with a label that are not ending, by name."""
    core = client.CoreV1Api(cluster)

    def find(selector: str) -> dict[str, Any]:
        listed = core.list_namespaced_pod(environment["NAMESPACE"], label_selector=selector)
        return {
            pod.metadata.name: pod for pod in listed.items if not pod.metadata.deletion_timestamp
        }

    return find


@pytest.fixture
def delete(cluster, environment) -> Callable[..., None]:
    """Deletes a pod."""
    core = client.CoreV1Api(cluster)

    def pod(name: str, **options: Any) -> None:
        core.delete_namespaced_pod(name, environment["NAMESPACE"], **options)

    return pod


def test_new_pods_gone_while_the_rollout_waits(*, faults, live, load, left_over, api, pods, delete):
    expected = "the run succeeds with the pods that replace them, in one try; no request fails"
    name = "new pods deleted while apply_deployment is deferred"
    with faults.case(name, expected) as case:
        selector = f"app.kubernetes.io/instance={live.object_name}"
        older = pods(selector)
        with load(live) as found:
            run_id = begin(api, live, slow(live, START_SECONDS), version="11.1")
            reached(run_id, "apply_deployment", "deferred")
            gone = pods(selector).keys() - older.keys()
            for pod in gone:
                delete(pod, grace_period_seconds=0)
            outcome = follow(api, run_id)
        tries = outcome.steps["apply_deployment"]["tries"]
        case.seen = f"{outcome.state} without {len(gone)} new pods, tries: {tries}"
        assert gone
        assert outcome.ok, f"{outcome.failed_step}: {outcome.error}"
        assert tries == 1
        assert left_over(live) == []
        case.load(found)


def test_a_new_pod_gone_before_the_task_goes_on(
    *, faults, live, load, left_over, api, pods, delete
):
    """The trigger has seen that all new pods are ready; the task looks again and waits on."""
    expected = (
        "apply_deployment waits on until the pod that replaces it is ready, and the run succeeds "
        "in one try; no request fails"
    )
    name = "a new pod deleted between the trigger's event and the re-entry of apply_deployment"
    with faults.case(name, expected) as case:
        selector = f"app.kubernetes.io/instance={live.object_name}"
        older = pods(selector)
        with load(live) as found:
            run_id = begin(api, live, slow(live, START_SECONDS), version="11.2")
            reached(run_id, "apply_deployment", "deferred")
            reached(run_id, "apply_deployment", "scheduled", "queued")
            gone = min(pods(selector).keys() - older.keys())
            delete(gone)
            outcome = follow(api, run_id)
        tries = outcome.steps["apply_deployment"]["tries"]
        case.seen = f"{outcome.state} without {gone}, tries: {tries}"
        assert outcome.ok, f"{outcome.failed_step}: {outcome.error}"
        assert "were ready are not ready any more" in log(api, run_id, "apply_deployment")
        assert tries == 1
        assert left_over(live) == []
        case.load(found)


def test_the_pod_of_the_smoke_test_gone(*, faults, live, load, left_over, api, pods, delete):
    expected = (
        "smoke_test says that its pod was deleted, and a retry with a new pod succeeds; no "
        "request fails"
    )
    with faults.case("the smoke test's pod deleted", expected) as case:
        selector = f"manifest-engine.io/smoke-test-of={live.object_name}"
        code = with_code(live, IN_SMOKE_POD + "import time\nif SMOKE:\n    time.sleep(10)\n")
        with load(live) as found:
            run_id = begin(api, live, code, version="11.3")
            reached(run_id, "smoke_test", "running")
            end = time.monotonic() + 60
            while not (running := [
                name for name, pod in pods(selector).items() if pod.status.phase == "Running"
            ]):  # fmt: skip
                assert time.monotonic() < end
                time.sleep(0.1)
            delete(running[0], grace_period_seconds=0)
            said = told(api, run_id, "smoke_test", "error")
            outcome = follow(api, run_id)
        tries = outcome.steps["smoke_test"]["tries"]
        case.seen = f"{said.splitlines()[0]} Then {outcome.state}, tries: {tries}"
        assert "was deleted before it gave a verdict" in said
        assert outcome.ok, f"{outcome.failed_step}: {outcome.error}"
        assert tries == 2
        assert left_over(live) == []
        case.load(found)
