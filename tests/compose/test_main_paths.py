"""Deployments with CeleryExecutor, whose tasks share no disk."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from sandbox.airflow.deploy import follow
from sandbox.compose import configuration as compose_configuration
from sandbox.compose.compose import Compose
from sandbox.core.settings import REPOSITORY, SETTINGS
from tests.compose.conftest import ManyService, log, steps
from tests.e2e.approval.test_approval import answer, start
from tests.e2e.conftest import SESSION, remove
from tests.e2e.deploy.test_deploy_service import STEPS, attached, echo, registry_digest


@pytest.fixture(scope="module")
def first(quotes):
    outcome = quotes.deploy(to_end=True)
    assert outcome.ok, outcome.error
    return outcome


def test_a_zip_becomes_a_url_that_answers(quotes, first, apps, environment, many):
    assert [first.steps[name]["state"] for name in STEPS] == ["success"] * len(STEPS)
    seen = echo(first.url)
    assert seen["path"] == "/echo"
    assert seen["prefix"] == f"/datafactory/e2e/{quotes.manifest['serviceName']}"
    assert (seen["environment"], seen["utils"]) == ("Development", "1.4.2")
    repository = f"datafactory/e2e/{quotes.manifest['serviceName']}"
    assert registry_digest(environment, repository, "1.0.0") == first.digest
    assert attached(environment, repository, first.digest) == ["application/vnd.cyclonedx+json"]
    deployment = apps.read_namespaced_deployment(quotes.object_name, environment["NAMESPACE"])
    assert deployment.status.available_replicas == 2
    run = f"dags/deploy_service/dagRuns/{first.run_id}"
    assert many.xcom(run, "download_artifact")["path"].startswith("abfs://")
    assert "Building" in log(many, first.run_id, "build_image")


def test_a_rerun_changes_nothing_and_both_workers_ran_tasks(
    *, quotes, first, apps, environment, many, compose
):
    before = apps.read_namespaced_deployment(quotes.object_name, environment["NAMESPACE"])
    again = quotes.deploy(to_end=True)
    assert again.ok, again.error
    after = apps.read_namespaced_deployment(quotes.object_name, environment["NAMESPACE"])
    assert after.metadata.resource_version == before.metadata.resource_version
    run = f"dags/deploy_service/dagRuns/{again.run_id}"
    assert many.xcom(run, "download_artifact")["reused"]
    assert many.xcom(run, "build_image")["reused"]
    assert not many.xcom(run, "push_image")["pushed"]
    # Celery picks a worker by chance: all 9 tasks on one worker happens once in 256 runs.
    hosts = [
        {item["hostname"] for item in steps(many, run_id).values()}
        for run_id in (first.run_id, again.run_id)
    ]
    workers = {item["ID"][:12] for item in compose.containers("worker")}
    assert any(found == workers for found in hosts), hosts


def test_bad_services_fail_with_their_reason_and_the_good_service_keeps_serving(quotes, first):
    crash = {"src/aiservice.py": b"import os\n\nDATABASE = os.environ['DATABASE_URL']\n"}
    broken = ManyService("broken-service", f"many-broken-{SESSION}")
    plain = ManyService("plain-service", f"many-plain-{SESSION}")
    with ThreadPoolExecutor() as pool:
        cases = [
            pool.submit(broken.deploy),
            pool.submit(plain.deploy, artifact="datafactory/no/such.txt"),
            pool.submit(quotes.deploy, crash, version="1.1.0"),
        ]
    unbuilt, missing, crashed = [case.result() for case in cases]
    assert (unbuilt.state, unbuilt.failed_step) == ("failed", "build_image")
    assert "flask-that-nobody-has-published" in unbuilt.error
    assert (missing.state, missing.failed_step) == ("failed", "validate")
    assert "such.txt" in missing.error
    assert (crashed.state, crashed.failed_step) == ("failed", "smoke_test")
    assert "KeyError: 'DATABASE_URL'" in crashed.error
    assert echo(first.url)["path"] == "/echo"
    refused = quotes.deploy(quotes.source("A ship in harbor", "Another"), version="1.0.0")
    assert (refused.state, refused.failed_step) == ("failed", "build_image")
    assert "new version" in refused.error


def test_a_service_is_updated_rolled_back_rebuilt_and_removed_beside_an_approval(
    *, quotes, first, many, cluster
):
    asked = ManyService("plain-service", f"many-asked-{SESSION}")
    asked.manifest["environment"] = "prod"
    try:
        waiting = start(many, asked)
        second = quotes.deploy(quotes.source("A ship in harbor", "A changed ship"), version="1.2.0")
        assert second.ok, second.error
        assert echo(second.url)["quote"].startswith("A changed ship")
        assert answer(many, waiting, "Approve").ok
        back = run(many, "rollback_service", quotes)
        assert back.ok, back.error
        assert echo(second.url)["quote"] == echo(first.url)["quote"]
        assert back.digest is None  # nothing was pushed
        approved = follow(many, waiting, to_end=False)
        assert approved.ok, approved.error
    finally:
        remove(cluster, SETTINGS.approved_namespace, asked.object_name)

    night = run(many, "rebuild_services", quotes, force=True)
    assert night.ok, night.error
    table = many.xcom(f"dags/rebuild_services/dagRuns/{night.run_id}", "summarise", "table")
    assert [row["outcome"] for row in table["rows"]] in (["rebuilt"], ["unchanged"])

    gone = run(many, "remove_service", quotes, confirm=quotes.object_name)
    assert gone.ok, gone.error
    assert requests.get(second.url, timeout=10).status_code == 404
    entries = {entry["run"]: entry for entry in audited()}
    ended = {run_id: entries[run_id]["result"] for run_id in (waiting, back.run_id, gone.run_id)}
    assert set(ended.values()) == {"success"}
    assert (entries[waiting]["approvedBy"], entries[back.run_id]["action"]) == ("admin", "rollback")
    assert entries[second.run_id]["digest"] == second.digest
    assert {waiting, second.run_id, back.run_id, gone.run_id} <= set(written())


def run(many, dag_id, service, **conf):
    """Run a DAG for the service and wait for the end."""
    run_id = f"many-{dag_id}-{SESSION}"
    about = {key: service.manifest[key] for key in ("component", "serviceName", "environment")}
    many.trigger(dag_id, about | conf, run_id)
    return follow(many, run_id, dag_id=dag_id)


def written():
    """Ids of the runs in the audit file, whose volume outlives the container."""
    output = Compose().compose("exec", "-T", "api-server", "cat", "audit/manifest-engine.jsonl")
    return [json.loads(line)["run"] for line in output.splitlines()]


def audited():
    """The output of the audit command for the last runs of the stack's Airflow."""
    login = {
        "AIRFLOW_URL": Compose().url,
        "AIRFLOW_USER": "admin",
        "AIRFLOW_PASSWORD": compose_configuration.password(),
    }
    output = subprocess.run(
        [sys.executable, "-m", "manifest_engine.audit", "--since", "20m", "--json"],
        env={**os.environ, **login, "PYTHONPATH": str(REPOSITORY / "plugins")},
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    return [json.loads(line) for line in output.stdout.splitlines()]
