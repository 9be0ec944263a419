"""The cluster's only node is drained during a deployment, as an upgrade of the node does."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest
from kubernetes import client

from sandbox.airflow.deploy import follow
from tests.faults.moments import begin, reached, slow, told

CORDONED_SECONDS = 15
"""Longer than two of the evictions that ``kubectl drain`` repeats every 5 s."""


@pytest.fixture
def drained(cluster, environment, live) -> Callable[[], AbstractContextManager[list[str]]]:
    """Drains the node of the live service's pods during a block.

    Only this service's pods are evicted. The drain needs room for their successors, so it ends
    after the block, when the node takes pods again as another node would. The list has the output.
    """
    selector = f"app.kubernetes.io/instance={live.object_name}"
    variables = {**os.environ, **environment}

    @contextmanager
    def drain() -> Iterator[list[str]]:
        pods = client.CoreV1Api(cluster).list_namespaced_pod(
            environment["NAMESPACE"], label_selector=selector
        )
        (node,) = {pod.spec.node_name for pod in pods.items}
        words = ["kubectl", "drain", node, "--pod-selector", selector, "--timeout=150s"]
        output: list[str] = []
        with subprocess.Popen(
            words, env=variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as process:
            try:
                yield output
            except BaseException:
                process.kill()
                raise
            finally:
                subprocess.run(
                    ["kubectl", "uncordon", node], env=variables, check=True, capture_output=True
                )
            output += process.communicate(timeout=180)[0].splitlines()
        assert process.returncode == 0, output

    return drain


@pytest.mark.parametrize(
    ("when", "step"),
    [("in a rollout", "apply_deployment"), ("before the smoke test", "smoke_test")],
)
def test_the_node_drained(*, faults, live, load, left_over, api, drained, when, step):
    expected = (
        f"{step} says that the node is cordoned and waits; with room again, the run succeeds in "
        "one try and the drain ends; no request fails"
    )
    with faults.case(f"node drained {when}", expected) as case:
        version = f"10.{step}"
        with load(live) as found:
            if step == "apply_deployment":
                run_id = begin(api, live, slow(live, 5), version=version)
                reached(run_id, step, "running")
                time.sleep(2)  # now a new pod starts
            with drained() as output:
                if step == "smoke_test":
                    code = live.source("plain-service", "drained")
                    run_id = begin(api, live, code, version=version)
                why = told(api, run_id, step, "waiting", "unschedulable")
                time.sleep(CORDONED_SECONDS)
            outcome = follow(api, run_id)
        refused = sum("disruption budget" in line for line in output)
        case.seen = f"{step} said: {why}; {outcome.state}; the budget refused {refused} evictions"
        assert outcome.ok, f"{outcome.failed_step}: {outcome.error}"
        assert outcome.steps[step]["tries"] == 1
        assert "a node is cordoned" in why
        assert refused
        assert left_over(live) == []
        case.load(found)
