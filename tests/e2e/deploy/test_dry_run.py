"""``dryRun`` shows the planned changes, and builds and applies nothing."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from sandbox.airflow.deploy import deploy, follow

LATER = [
    "download_artifact", "build_image", "push_image", "smoke_test",
    "apply_deployment", "publish_route", "watch_release", "record_release",
]  # fmt: skip


@pytest.fixture
def dry_run(api: Any) -> Any:
    """Deploys with ``dryRun``; returns the outcome and the planned changes by kind."""

    def run(plain: Any, archive: bytes | None = None, **manifest: Any) -> tuple[Any, Any]:
        outcome = deploy(archive or plain.zip(), plain.manifest | manifest | {"dryRun": True})
        run = f"dags/deploy_service/dagRuns/{outcome.run_id}"
        told = api.xcom(run, "validate", "dry_run") or []
        return outcome, {change["kind"]: change for change in told}

    return run


def states(outcome: Any) -> set[str]:
    return {outcome.steps[step]["state"] for step in LATER}


def test_a_first_release_is_shown_and_not_created(service, dry_run, apps, environment):
    plain = service("plain-service")
    outcome, changes = dry_run(plain)
    assert outcome.ok, outcome.error
    assert outcome.steps["validate"]["state"] == "success"
    assert states(outcome) == {"skipped"}
    assert {kind: change["action"] for kind, change in changes.items()} == {
        "Deployment": "create",
        "Service": "create",
        "PodDisruptionBudget": "create",
        "HTTPRoute": "create",
    }
    names = [
        item.metadata.name
        for item in apps.list_namespaced_deployment(environment["NAMESPACE"]).items
    ]
    assert plain.object_name not in names


def test_a_live_release_is_compared_by_field_and_not_changed(service, dry_run, apps, environment):
    plain = service("plain-service")
    first = plain.deploy(replicas=2)
    assert first.ok, first.error
    here = plain.object_name, environment["NAMESPACE"]
    before = apps.read_namespaced_deployment(*here).metadata.resource_version

    outcome, changes = dry_run(plain)
    assert outcome.ok, outcome.error
    assert {change["action"] for change in changes.values()} == {"unchanged"}

    outcome, changes = dry_run(plain, version="1.1.0", replicas=1, env={"COLOUR": "blue"})
    assert outcome.ok, outcome.error
    assert {kind: change["action"] for kind, change in changes.items()} == {
        "Deployment": "change",
        "Service": "change",  # its version label
        "PodDisruptionBudget": "remove",
        "HTTPRoute": "change",
    }
    fields = {item["field"]: item for item in changes["Deployment"]["fields"]}
    assert (fields["spec.replicas"]["before"], fields["spec.replicas"]["after"]) == ("2", "1")
    app = "spec.template.spec.containers[app]"
    assert fields[f"{app}.env[COLOUR].value"]["after"] == '"blue"'
    assert fields[f"{app}.image"]["after"].endswith(':1.1.0 (to be built)"')

    assert apps.read_namespaced_deployment(*here).metadata.resource_version == before
    assert requests.get(first.url, timeout=10).ok


def test_the_log_shows_the_difference(service, dry_run, api):
    plain = service("plain-service")
    outcome, _ = dry_run(plain)
    log = api.get(f"dags/deploy_service/dagRuns/{outcome.run_id}/taskInstances/validate/logs/1")
    text = str(log["content"])
    assert "Dry run: deploying" in text
    assert f"HTTPRoute {plain.object_name}: would be created" in text


def test_a_missing_artifact_fails_the_dry_run(service, api):
    plain = service("plain-service")
    run_id = f"e2e-dry-{plain.object_name}"
    api.trigger("deploy_service", plain.manifest | {"dryRun": True}, run_id)
    outcome = follow(api, run_id)
    assert (outcome.state, outcome.failed_step) == ("failed", "validate")
    assert f"{plain.manifest['serviceName']}-1.0.0.zip" in outcome.error
