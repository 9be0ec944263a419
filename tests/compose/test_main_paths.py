"""Whole deployments through CeleryExecutor: tasks of one run share no disk, and do not need one."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from sandbox.deploy import follow
from tests.compose.conftest import ManyService, log, steps
from tests.e2e.conftest import SESSION
from tests.e2e.test_deploy_service import STEPS, attached, echo, registry_digest


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


def test_a_rerun_changes_nothing_and_both_workers_had_a_part(
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
    # Which worker takes a task is chance: all of the 9 on one of two is 1 in 256, twice is none.
    hosts = [
        {item["hostname"] for item in steps(many, run_id).values()}
        for run_id in (first.run_id, again.run_id)
    ]
    workers = {item["ID"][:12] for item in compose.containers("worker")}
    assert any(found == workers for found in hosts), hosts


def test_bad_services_fail_with_their_sentence_and_good_ones_go_on(quotes, first):
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


def test_changed_code_goes_live_and_is_removed(quotes, first, many):
    second = quotes.deploy(quotes.source("A ship in harbor", "A changed ship"), version="1.2.0")
    assert second.ok, second.error
    assert echo(second.url)["quote"].startswith("A changed ship")
    run_id = f"many-remove-{SESSION}"
    fields = {key: quotes.manifest[key] for key in ("component", "serviceName", "environment")}
    many.trigger("remove_service", {**fields, "confirm": quotes.object_name}, run_id)
    assert follow(many, run_id, dag_id="remove_service", quiet=True).ok
    assert requests.get(second.url, timeout=10).status_code == 404
