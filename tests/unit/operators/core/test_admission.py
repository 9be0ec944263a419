"""The user comes from Airflow's record of the run, the rules from the present file."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
import yaml
from airflow.sdk.api.datamodels._generated import DagRun
from manifest_engine.domain.core.errors import ManifestError, NotAllowed
from manifest_engine.domain.environment import environments
from manifest_engine.domain.manifest import manifest
from manifest_engine.domain.removal import removal
from manifest_engine.operators.core import admission
from manifest_engine.operators.manifest.validate_manifest import ValidateManifest
from manifest_engine.operators.release.validate_rollback import ValidateRollback
from manifest_engine.operators.removal.remove_service import ValidateRemoval

ASKED = {"component": "pricing", "serviceName": "quotes", "version": "1.0", "environment": "dev"}
REBUILD = {"releaseHash": "h", "digest": "sha256:" + "a" * 64}
ONLY_GRACE = {"access": {"deploy": ["grace"], "remove": ["grace"]}}


def context(by=None, run_type="manual", **conf):
    """The context of a task, with Airflow's own model of a run."""
    moment = datetime(2026, 1, 2, tzinfo=UTC)
    run = DagRun.model_validate(
        {
            "dag_id": "deploy_service",
            "run_id": "run-1",
            "run_type": run_type,
            "run_after": moment,
            "logical_date": None,
            "data_interval_start": None,
            "data_interval_end": None,
            "start_date": moment,
            "end_date": None,
            "state": "running",
            "conf": conf,
            "triggering_user_name": by,
            "consumed_asset_events": [],
            "partition_key": None,
        }
    )
    return {"dag_run": run}


@pytest.fixture
def configured(tmp_path, monkeypatch):
    """Writes an ``environments.yaml`` with the shipped environment ``dev`` and changes."""
    path = tmp_path / "environments.yaml"
    monkeypatch.setenv(environments.PATH_VARIABLE, str(path))

    def write(**blocks):
        content = yaml.safe_load((environments.INCLUDE / "environments.yaml").read_text())
        content["environments"]["dev"] |= blocks
        path.write_text(yaml.safe_dump(content))

    write()
    return write


def deploy(by=None, run_type="manual", **fields):
    """Checks a deployment as under the lease."""
    asked = manifest.parse(ASKED | fields)
    admission.require_deploy_still(context(by, run_type), asked)


def test_the_requester_comes_from_airflows_record_of_the_run():
    assert admission.requester(context("ada")) == admission.Requester("ada", "manual")
    assert admission.requester(context(None, "operator_triggered")).by_dag
    assert admission.requester(context(None, "scheduled")).on_schedule


@pytest.mark.parametrize("step", [ValidateManifest, ValidateRollback, ValidateRemoval])
def test_each_first_step_refuses_a_user_who_is_not_listed(configured, step):
    configured(**ONLY_GRACE)
    fields = {**ASKED}
    if step is not ValidateManifest:
        del fields["version"]
    if step is ValidateRemoval:
        fields["confirm"] = "pricing-quotes"
    with pytest.raises(NotAllowed, match="ada may not"):
        step(task_id="validate").run(context("ada", **fields))


def test_a_dry_run_needs_the_same_permission(configured):
    configured(**ONLY_GRACE)
    with pytest.raises(NotAllowed, match="ada may not deploy here"):
        ValidateManifest(task_id="validate").run(context("ada", **ASKED, dryRun=True))


def test_a_user_name_in_the_conf_is_ignored(configured):
    configured(**ONLY_GRACE)
    step = ValidateManifest(task_id="validate")
    with pytest.raises(ManifestError, match="triggering_user_name"):
        step.run(context("ada", **ASKED, triggering_user_name="grace"))
    with pytest.raises(NotAllowed, match="ada may not deploy"):
        deploy("ada", owner="grace")


def test_the_check_under_the_lease_uses_the_present_rules(configured):
    deploy("ada")
    configured(**ONLY_GRACE)
    with pytest.raises(NotAllowed, match="ada may not deploy here"):
        deploy("ada")
    with pytest.raises(NotAllowed, match="ada may not remove here"):
        admission.require_remove_still(context("ada"), "dev")
    deploy("grace")


def test_a_scheduled_rebuild_needs_no_user(configured):
    configured(**ONLY_GRACE)
    deploy(None, "operator_triggered", rebuild=REBUILD)


def test_a_manual_rebuild_needs_the_permission_of_its_user(configured):
    configured(**ONLY_GRACE)
    deploy("grace", "operator_triggered", rebuild=REBUILD)
    with pytest.raises(NotAllowed, match="ada may not deploy here"):
        deploy("ada", "operator_triggered", rebuild=REBUILD)


def test_a_scheduled_deployment_of_another_dag_has_no_user(configured):
    configured(**ONLY_GRACE)
    with pytest.raises(NotAllowed, match="no user for this run"):
        deploy(None, "operator_triggered")


@pytest.mark.parametrize("run_type", ["manual", "scheduled", "backfill"])
def test_the_field_rebuild_is_refused_in_a_run_that_no_dag_started(configured, run_type):
    with pytest.raises(NotAllowed, match="The field rebuild is set by rebuild_services alone"):
        deploy("admin", run_type, rebuild=REBUILD)


def test_a_component_that_the_environment_does_not_list_is_refused(configured):
    configured(access={"components": ["quotes-*"]})
    with pytest.raises(NotAllowed, match="does not take the component 'pricing'"):
        deploy("ada")


def test_a_removal_does_not_check_the_component(configured):
    configured(access={"components": ["quotes-*"]})
    admission.require_remove_still(context("ada"), "dev")


def test_a_rebuild_of_a_manifest_that_is_no_longer_allowed_says_what_to_do(configured):
    with pytest.raises(NotAllowed) as refused:
        deploy(None, "operator_triggered", rebuild=REBUILD, secretEnv={"DB": "other/password"})
    assert "names the Secret 'other'" in str(refused.value)
    assert "the live release of pricing-quotes, which keeps running" in str(refused.value)


def test_a_removal_checks_the_user_of_its_run(configured):
    configured(**ONLY_GRACE)
    asked = {key: ASKED[key] for key in ("component", "serviceName", "environment")}
    run = context("grace", **asked, confirm="pricing-quotes")
    made = ValidateRemoval(task_id="validate_removal").run(run)
    assert removal.load(made).requested_by == "grace"
