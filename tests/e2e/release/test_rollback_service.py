"""``rollback_service`` through the real Airflow: all checks, without a build."""

from __future__ import annotations

import time

import requests
from manifest_engine.hooks.builder.buildx import Login
from manifest_engine.hooks.registry.api import RegistryApi
from manifest_engine.hooks.registry.auth import PasswordIdentity

from sandbox.airflow.deploy import follow
from tests import registry_images

STEPS = [
    "validate_rollback", "approve", "smoke_test", "apply_deployment", "publish_route",
    "watch_release", "record_release",
]  # fmt: skip
REQUESTED = "manifest-engine.io/requested-"


def roll_back(api, service, version=None, **more):
    run_id = f"e2e-back-{time.time_ns()}"
    asked = {key: service.manifest[key] for key in ("component", "serviceName", "environment")}
    api.trigger("rollback_service", asked | {"version": version} | more, run_id)
    return follow(api, run_id, dag_id="rollback_service")


def release(service, version):
    outcome = service.deploy(service.source("plain-service", f"answer-{version}"), version=version)
    assert outcome.ok, outcome.error
    return outcome


def answer(url):
    return requests.get(url, timeout=10).json()["service"]


def purge(environment, repository, digest):
    """Delete an image from the registry."""
    login = Login(environment["REGISTRY_USER"], environment["REGISTRY_PASSWORD"])
    registry = RegistryApi(
        f"https://{environment['REGISTRY']}",
        PasswordIdentity(login),
        verify=environment["REQUESTS_CA_BUNDLE"],
    )
    registry_images.delete(registry, repository, digest)


def test_earlier_releases_can_be_restored_unless_their_image_is_deleted(
    service, api, apps, environment
):
    plain = service("plain-service")
    first, second, third = (release(plain, version) for version in ("1.0", "1.1", "1.2"))
    assert answer(third.url) == "answer-1.2"
    dry = roll_back(api, plain, dryRun=True)
    assert dry.state == "success"
    run = f"dags/rollback_service/dagRuns/{dry.run_id}"
    newest, oldest = api.xcom(run, "validate_rollback", "choices")
    assert newest.startswith(f"1.1 ({second.digest[:19]}")
    assert newest.endswith("with other code")
    assert oldest.startswith(f"1.0 ({first.digest[:19]}")
    assert answer(third.url) == "answer-1.2"

    outcome = roll_back(api, plain)
    assert outcome.ok, outcome.error
    assert sorted(outcome.steps) == sorted(STEPS)
    assert outcome.url == third.url
    assert answer(outcome.url) == "answer-1.1"

    run = f"dags/rollback_service/dagRuns/{outcome.run_id}"
    summary = api.xcom(run, "record_release")
    assert summary["digest"] == second.digest
    assert (summary["version"], summary["runId"]) == ("1.1", outcome.run_id)
    assert summary["changed"]
    live = apps.read_namespaced_deployment(plain.object_name, environment["NAMESPACE"])
    notes = live.metadata.annotations
    assert notes["manifest-engine.io/run-id"] == outcome.run_id
    assert notes[REQUESTED + "by"] == "admin"
    assert live.spec.template.spec.containers[0].image.endswith(second.digest)

    unknown = roll_back(api, plain, "0.9")
    assert (unknown.state, unknown.failed_step) == ("failed", "validate_rollback")
    assert unknown.steps["validate_rollback"]["tries"] == 1
    listed = unknown.error.partition("newest first: ")[2]
    assert listed.index(f"1.2 ({third.digest[:19]}") < listed.index(f"1.0 ({first.digest[:19]}")
    assert "by admin" in listed

    named = roll_back(api, plain, "1.0")
    assert named.ok, named.error
    assert answer(named.url) == "answer-1.0"

    by_digest = roll_back(api, plain, third.digest[:20])
    assert by_digest.ok, by_digest.error
    assert answer(by_digest.url) == "answer-1.2"

    purge(environment, f"datafactory/e2e/{plain.manifest['serviceName']}", first.digest)
    purged = roll_back(api, plain, "1.0")
    assert (purged.state, purged.failed_step) == ("failed", "validate_rollback")
    assert "not in the registry any more" in purged.error
    assert f"1.1 ({second.digest[:19]}" in purged.error
    assert answer(by_digest.url) == "answer-1.2"


def test_a_rollback_of_an_unknown_service_is_refused(service, api):
    outcome = roll_back(api, service("plain-service"))
    assert outcome.failed_step == "validate_rollback"
    assert "is not deployed in the environment 'dev'" in outcome.error
