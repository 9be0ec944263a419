"""Environments whose approvers agree before an image runs; answers as the UI sends them."""

from __future__ import annotations

import time
from contextlib import contextmanager

import pytest
import requests
import yaml
from kubernetes import client, watch

from sandbox.airflow import configuration as airflow_configuration
from sandbox.airflow.deploy import follow, upload
from sandbox.core.settings import SETTINGS
from tests.e2e.conftest import SESSION, Service, remove

NAMESPACE = SETTINGS.approved_namespace
AFTER = ("smoke_test", "apply_deployment", "publish_route", "watch_release", "record_release")


@pytest.fixture(autouse=True)
def configured(api):
    known = api.get("dags/deploy_service/details")["params"]["environment"]["schema"]["enum"]
    if "prod" not in known:
        pytest.fail(
            "Airflow was started before the environment prod: run `.venv/bin/python -m sandbox "
            "down --only airflow` and `.venv/bin/python -m sandbox up`",
            pytrace=False,
        )


@pytest.fixture
def plain(service, cluster):
    made = service("plain-service")
    made.manifest["environment"] = "prod"
    yield made
    remove(cluster, NAMESPACE, made.object_name)


@contextmanager
def changed_approval():
    """Yields a function that changes the approval of ``prod`` until the end of the block."""
    path = airflow_configuration.environments(SETTINGS.state / "airflow")
    before = path.read_text()

    def change(**approval):
        content = yaml.safe_load(before)
        content["environments"]["prod"]["approval"] = approval or False
        path.write_text(yaml.safe_dump(content))

    try:
        yield change
    finally:
        path.write_text(before)


@pytest.fixture
def asked_of():
    with changed_approval() as change:
        yield change


@pytest.fixture(scope="module")
def unanswered(api):
    """A run that asks grace, who does not answer within the minute.

    The first test of the module starts the run and the last test looks at it, so no test waits.
    """
    plain = Service("plain-service", f"unanswered-{SESSION}")
    plain.manifest["environment"] = "prod"
    with changed_approval() as change:
        change(approvers=["grace"], timeoutMinutes=1)
        return start(api, plain)


def start(api, service, version="1.0", changes=None):
    """Upload, trigger, and wait for the question; returns the run id."""
    name = service.manifest["serviceName"]
    service.manifest["version"] = version
    upload(service.zip(changes), f"datafactory/e2e/{name}/{version}/{name}-{version}.zip")
    run_id = f"e2e-approval-{time.time_ns()}"
    api.trigger("deploy_service", service.manifest, run_id)
    wait_for_question(api, "deploy_service", run_id)
    return run_id


def wait_for_question(api, dag_id, run_id):
    run = f"dags/{dag_id}/dagRuns/{run_id}"
    end = time.monotonic() + 180
    while api.get(f"{run}/taskInstances/approve")["state"] != "awaiting_input":
        state = api.get(run)["state"]
        assert state in ("queued", "running"), f"the run is {state} without a question"
        assert time.monotonic() < end
        time.sleep(0.3)


def question(api, run_id, dag_id="deploy_service"):
    path = f"dags/{dag_id}/dagRuns/{run_id}/taskInstances/approve/-1/hitlDetails"
    return path, api.get(path)


def now(cluster):
    """The cluster's current resource version, for :func:`pods_since`."""
    return client.CoreV1Api(cluster).list_namespaced_pod(NAMESPACE).metadata.resource_version


def pods_since(cluster, begin, service):
    """Names of the pods with the service's image created since then, also of deleted pods."""
    seen = watch.Watch().stream(
        client.CoreV1Api(cluster).list_namespaced_pod,
        NAMESPACE,
        resource_version=begin,
        timeout_seconds=1,
    )
    made = [event["object"] for event in seen if event["type"] == "ADDED"]
    image = "/{component}/{serviceName}@".format(**service.manifest)
    return [
        pod.metadata.name
        for pod in made
        if any(
            image in container.image
            for container in (*pod.spec.containers, *(pod.spec.init_containers or ()))
        )
    ]


def mark_green(api, dag_id, run_id):
    return api.session.patch(
        f"{api.base}/dags/{dag_id}/dagRuns/{run_id}/taskInstances/approve",
        json={"new_state": "success"},
        timeout=60,
    )


PERSON_SECONDS = 3.0
"""Airflow 3.3.2 repeats a question that is answered before the wait is in its database."""


def answer(api, run_id, option, dag_id="deploy_service"):
    time.sleep(PERSON_SECONDS)
    path, _ = question(api, run_id, dag_id)
    return api.session.patch(
        f"{api.base}/{path}", json={"chosen_options": [option], "params_input": {}}, timeout=60
    )


def test_only_an_approver_may_answer(api, unanswered):
    assert answer(api, unanswered, "Approve").status_code == 403


def test_an_approved_release_goes_live_and_a_rejected_release_changes_nothing(
    api, plain, cluster, asked_of
):
    begin = now(cluster)
    first = start(api, plain)
    body = question(api, first)[1]["body"]
    assert "first release" in body
    assert f"- `Deployment {plain.object_name}` would be created" in body
    assert f"- `HTTPRoute {plain.object_name}` would be created" in body
    assert pods_since(cluster, begin, plain) == []
    assert answer(api, first, "Approve").ok
    outcome = follow(api, first)
    assert outcome.ok, outcome.error
    assert any("-smoke" in name for name in pods_since(cluster, begin, plain))
    record = api.xcom(f"dags/deploy_service/dagRuns/{first}", "approve")
    assert (record["approvedBy"], record["subject"]) == ("admin", outcome.digest)
    deployment = client.AppsV1Api(cluster).read_namespaced_deployment(plain.object_name, NAMESPACE)

    asked_of(approvers=["admin"], selfApproval=False)
    plain.manifest["replicas"] = 1
    changed = plain.source("plain-service", "changed")
    begin = now(cluster)
    second = start(api, plain, "1.1", changed)
    asked = question(api, second)[1]
    assert asked["subject"] == f"Deploy {plain.object_name} 1.1 to prod?"
    assert "| version | `1.0` | `1.1` |" in asked["body"]
    assert "| `replicas` | `2` | `1` |" in asked["body"]
    assert "| `Deployment` | `spec.replicas` | `2` | `1` |" in asked["body"]
    assert outcome.digest in asked["body"]
    assert not asked["params"]
    assert [user["id"] for user in asked["assigned_users"]] == ["admin"]
    pools = api.get("pools/default_pool")
    assert pools["deferred_slots"] == 0
    assert "Asked for by `admin`, who may not approve it." in asked["body"]
    assert answer(api, second, "Approve").ok  # the user's own run, so the question is asked again
    wait_for_question(api, "deploy_service", second)
    assert question(api, second)[1]["responded_at"] is None
    assert answer(api, second, "Reject").ok
    refused = follow(api, second)
    assert (refused.state, refused.failed_step) == ("failed", "approve")
    assert f"admin refused {plain.object_name} 1.1 for prod" in refused.error
    assert refused.steps["approve"]["tries"] == 1
    assert {refused.steps[step]["state"] for step in AFTER} == {"upstream_failed"}
    assert pods_since(cluster, begin, plain) == []
    after = client.AppsV1Api(cluster).read_namespaced_deployment(plain.object_name, NAMESPACE)
    assert after.metadata.resource_version == deployment.metadata.resource_version
    assert requests.get(outcome.url, timeout=10).json()["service"] == "plain-service"


def test_a_rollback_asks_for_approval(api, plain, asked_of):
    asked_of()  # no approval for the first deployments
    assert plain.deploy(version="1.0").ok
    second = plain.deploy(plain.source("plain-service", "second"), version="1.1")
    assert second.ok, second.error
    asked_of(approvers=["admin"])
    run_id = f"e2e-approval-{time.time_ns()}"
    conf = {key: plain.manifest[key] for key in ("component", "serviceName", "environment")}
    api.trigger("rollback_service", conf, run_id)
    wait_for_question(api, "rollback_service", run_id)
    asked = question(api, run_id, "rollback_service")[1]
    assert "| version | `1.1` | `1.0` |" in asked["body"]
    assert requests.get(second.url, timeout=10).json()["service"] == "second"
    assert answer(api, run_id, "Approve", "rollback_service").ok
    outcome = follow(api, run_id, dag_id="rollback_service")
    assert outcome.ok, outcome.error
    assert requests.get(second.url, timeout=10).json()["service"] == "plain-service"


def test_a_removal_asks_for_approval(api, plain, asked_of):
    asked_of()  # no approval for the first deployments
    live = plain.deploy(version="1.0")
    assert live.ok, live.error
    asked_of(approvers=["admin"])
    conf = {key: plain.manifest[key] for key in ("component", "serviceName", "environment")}

    def asked():
        run_id = f"e2e-approval-{time.time_ns()}"
        api.trigger("remove_service", conf | {"confirm": plain.object_name}, run_id)
        wait_for_question(api, "remove_service", run_id)
        return run_id

    refused, marked, approved = asked(), asked(), asked()
    details = question(api, refused, "remove_service")[1]
    assert details["subject"] == f"Remove {plain.object_name} from prod?"
    assert f"| live release | `1.0`, `{live.digest}` |" in details["body"]
    assert "2 of 2 ready" in details["body"]
    for kind in ("HTTPRoute", "Deployment", "Service", "PodDisruptionBudget"):
        assert f"- `{kind} {plain.object_name}`" in details["body"]

    assert answer(api, refused, "Reject", "remove_service").ok
    outcome = follow(api, refused, dag_id="remove_service")
    assert (outcome.state, outcome.failed_step) == ("failed", "approve")
    assert f"admin refused the removal of {plain.object_name} from prod" in outcome.error
    assert mark_green(api, "remove_service", marked).ok
    outcome = follow(api, marked, dag_id="remove_service")
    assert (outcome.state, outcome.failed_step) == ("failed", "remove_route")
    assert "nobody has approved the removal of" in outcome.error
    assert requests.get(live.url, timeout=10).ok

    assert answer(api, approved, "Approve", "remove_service").ok
    outcome = follow(api, approved, dag_id="remove_service")
    assert outcome.ok, outcome.error
    assert requests.get(live.url, timeout=10).status_code == 404


def test_marking_the_task_as_success_is_no_approval(api, plain, cluster):
    begin = now(cluster)
    run_id = start(api, plain)
    assert mark_green(api, "deploy_service", run_id).ok
    outcome = follow(api, run_id)
    assert (outcome.state, outcome.failed_step) == ("failed", "smoke_test")
    assert "nobody has approved sha256:" in outcome.error
    assert pods_since(cluster, begin, plain) == []


def test_a_run_without_an_answer_fails(api, unanswered):
    outcome = follow(api, unanswered)
    assert (outcome.state, outcome.failed_step) == ("failed", "approve")
    assert "grace did not answer within 1 minutes" in outcome.error
