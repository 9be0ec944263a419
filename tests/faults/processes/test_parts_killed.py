"""Processes of Airflow, the cluster and the registry are killed during a deployment.

These cases stop parts that all deployments of the sandbox share, and start them again.
"""

from __future__ import annotations

import time

import pytest
import requests

from sandbox.airflow.airflow import Airflow
from sandbox.airflow.deploy import follow
from sandbox.core.part import wait_until
from sandbox.kubernetes.cluster import Cluster
from sandbox.services.registry.registry import Registry
from tests.faults.breakage import airflow_without, down
from tests.faults.moments import age, begin, reached, slow

RIGHT = "the run succeeds, nothing is left over, no request fails"


@pytest.fixture
def ends_right(left_over):
    """Returns a function that checks the end of a run against ``RIGHT``."""

    def check(case, target, outcome, found, *, step, text="plain-service"):
        tries = outcome.steps.get(step, {}).get("tries")
        case.seen = f"{outcome.state} after {age(outcome.run_id):.0f} s; tries of {step}: {tries}"
        assert outcome.ok, f"{outcome.failed_step}: {outcome.error}"
        assert requests.get(outcome.url, timeout=10).json()["service"] == text
        assert left_over(target) == []
        case.load(found)

    return check


@pytest.mark.parametrize(
    ("part", "state", "starts", "case_name"),
    [
        ("triggerer", "deferred", 22, "triggerer killed while a rollout waits in it"),
        ("scheduler", "running", 8, "scheduler and its workers killed in a rollout"),
    ],
)
def test_a_part_of_airflow_killed(
    *, faults, live, load, api, ends_right, part, state, starts, case_name
):
    with faults.case(f"{case_name}, Airflow started again", RIGHT) as case:
        with load(live) as found:
            run_id = begin(api, live, slow(live, starts), version=f"6.{starts}", replicas=1)
            reached(run_id, "apply_deployment", state)
            time.sleep(2)
            with airflow_without(part):
                time.sleep(3)
            outcome = follow(api, run_id)
        ends_right(case, live, outcome, found, step="apply_deployment")


@pytest.mark.parametrize(
    ("component", "seconds", "version"), [("kube-apiserver", 20, "6.1"), ("kubelet", 10, "6.2")]
)
def test_a_part_of_the_cluster_down_in_a_rollout(
    *, faults, live, load, api, ends_right, component, seconds, version
):
    name = f"{component} killed in a rollout, started again after {seconds} s"
    with faults.case(name, RIGHT) as case:
        with load(live) as found:
            run_id = begin(api, live, slow(live, 6), version=version, replicas=1)
            reached(run_id, "apply_deployment", "running")
            time.sleep(3)
            with down(component):
                time.sleep(seconds)
            outcome = follow(api, run_id)
        wait_until(Cluster().ready, 60, "the cluster")
        ends_right(case, live, outcome, found, step="apply_deployment")


def test_the_registry_down_for_a_minute_at_push(faults, live, load, api, ends_right):
    with faults.case("registry killed at push_image, started again after 60 s", RIGHT) as case:
        text = f"pushed-{time.time_ns()}"
        with load(live) as found:
            run_id = begin(api, live, live.source("plain-service", text), version="6.3", replicas=1)
            reached(run_id, "push_image", "scheduled", "queued", "running")
            with down("registry"):
                time.sleep(60)
            outcome = follow(api, run_id)
        wait_until(Registry().ready, 20, "the registry")
        ends_right(case, live, outcome, found, step="push_image", text=text)


def test_airflow_answers_after_all_this():
    assert Airflow().ready() is None
