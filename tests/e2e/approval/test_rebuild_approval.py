"""A nightly run in environments with approval, during a manual deployment."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
import requests
from kubernetes import client

from sandbox.core.settings import SETTINGS
from tests.e2e.approval.test_approval import answer, question, wait_for_question
from tests.e2e.conftest import remove
from tests.e2e.nightly import COMPONENT, Night, dockerfile, load

ENVIRONMENTS = {"exempt": "stage", "asked": "prod"}
NAMESPACES = {"exempt": SETTINGS.exempt_namespace, "asked": SETTINGS.approved_namespace}
SLOW = {"COMES_UP_AFTER": "20"}


@pytest.fixture
def night(api, cluster, environment) -> Iterator[Night]:
    """A service in each of the two environments, on a base image with the text "one"."""
    made = Night(api, client.AppsV1Api(cluster), environment)
    try:
        made.push_base("one")
        own = dockerfile(made.base)
        runs = [
            made.start(name, own, environment=where, env={"COMES_UP_AFTER": "0"})
            for name, where in ENVIRONMENTS.items()
        ]
        for run_id in runs:
            wait_for_question(api, "deploy_service", run_id)
            assert answer(api, run_id, "Approve").ok
        for run_id in runs:
            assert made.wait("deploy_service", run_id, "record_release") == "success"
        yield made
    finally:
        for name, namespace in NAMESPACES.items():
            remove(cluster, namespace, f"{COMPONENT}-{name}")


def until(api, run, task, *states):
    """Wait until the task is in one of the states."""
    end = time.monotonic() + 120
    while (state := (api.get(f"{run}/taskInstances/{task}") or {}).get("state")) not in states:
        assert time.monotonic() < end, f"{task} is {state}"
        time.sleep(0.2)


def test_exempt_rebuilds_run_and_others_wait_and_yield_to_a_manual_deployment(
    night, api, environment
):
    url = f"{environment['GATEWAY_URL']}/datafactory/{COMPONENT}"
    night.push_base("two")
    rebuilds = night.trigger("rebuild_services", {"component": COMPONENT})
    runs = {name: night.triggered(rebuilds, name) for name in ENVIRONMENTS}
    waiting = f"dags/deploy_service/dagRuns/{runs['asked']}"
    until(api, waiting, "approve", "awaiting_input")
    assert api.get(waiting)["triggering_user_name"] == "admin"  # the user of rebuild_services
    text = dockerfile("python:3.11", "RUN echo manual > /base")
    by_hand = night.start("asked", text, "2.0", environment="prod", env=SLOW)
    assert night.wait("deploy_service", runs["exempt"], "record_release") == "success"
    assert (
        api.get(f"dags/deploy_service/dagRuns/{runs['exempt']}/taskInstances/approve")["state"]
        == "skipped"
    )
    assert requests.get(f"{url}/exempt/", timeout=10).text.strip() == "two"
    assert requests.get(f"{url}/asked/", timeout=10).text.strip() == "one"
    assert (
        night.wait("rebuild_services", rebuilds) == "success"
    )  # an exempt rebuild needs no approval
    table = api.xcom(f"dags/rebuild_services/dagRuns/{rebuilds}", "summarise", "table")
    rows = {row["environment"]: row for row in table["rows"]}
    assert (rows["stage"]["outcome"], rows["prod"]["outcome"]) == ("rebuilt", "skipped")
    assert f"approval: run {runs['asked']} waits" in rows["prod"]["sentence"]

    with load(f"{url}/asked/") as counted:
        wait_for_question(api, "deploy_service", by_hand)
        assert answer(api, by_hand, "Approve").ok
        manual = f"dags/deploy_service/dagRuns/{by_hand}"
        until(api, manual, "apply_deployment", "running")
        path, _ = question(api, runs["asked"])
        given = {"chosen_options": ["Approve"], "params_input": {}}
        assert api.session.patch(f"{api.base}/{path}", json=given, timeout=60).ok
        until(api, waiting, "apply_deployment", "deferred")
        state = api.get(f"{manual}/taskInstances/apply_deployment")["state"]
        assert state in ("running", "deferred")
        assert night.wait("deploy_service", by_hand, "record_release") == "success"
        assert night.wait("deploy_service", runs["asked"]) == "success"
    assert counted[0]["sent"] > 20
    assert counted[0]["failed"] == 0, counted
    assert requests.get(f"{url}/asked/", timeout=10).text.strip() == "manual"
    told = api.xcom(waiting, "apply_deployment", "skipped")
    assert f"was deployed again after the rebuild was planned, by run {by_hand} of admin" in told
