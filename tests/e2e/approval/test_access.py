"""The block ``access``, checked with the user that the real Airflow records on the run."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from getpass import getuser
from pathlib import Path
from typing import Any

import pytest
import yaml

from sandbox.airflow import configuration as airflow_configuration
from sandbox.airflow.airflow import Airflow
from sandbox.airflow.archives import zip_folder
from sandbox.airflow.deploy import Outcome, follow, upload
from sandbox.core.settings import SETTINGS
from tests.e2e.conftest import EXAMPLES

pytestmark = pytest.mark.alone
WHERE = "stage"
SERVICE = {"component": "e2e", "serviceName": "access", "environment": WHERE}
MANIFEST = SERVICE | {"version": "1.0.0", "dryRun": True}
ADMIN_MAY_NOT = (
    "admin may not {verb} here: access.{verb} of 'stage' in environments.yaml names grace. Ask one "
    "of them to start the run, or to have admin added."
)
NEEDS_GRACE = {"deploy": ["grace"], "remove": ["grace"]}


@pytest.fixture
def access() -> Iterator[Callable[..., None]]:
    """Changes the block ``access`` of the environment for one test."""
    path = airflow_configuration.environments(SETTINGS.state / "airflow")
    before = path.read_text()

    def change(**lists: list[str]) -> None:
        content = yaml.safe_load(before)
        content["environments"][WHERE]["access"] = lists
        path.write_text(yaml.safe_dump(content))

    yield change
    path.write_text(before)


@pytest.fixture
def run(api: Any) -> Callable[..., Outcome]:
    """Triggers a DAG over the API as the user ``admin`` and waits for the end."""

    def start(dag_id: str, conf: dict[str, Any]) -> Outcome:
        run_id = f"e2e-access-{time.time_ns()}"
        api.trigger(dag_id, conf, run_id)
        return follow(api, run_id, dag_id=dag_id)

    return start


@pytest.mark.parametrize(
    ("dag_id", "step", "verb", "conf"),
    [
        ("deploy_service", "validate", "deploy", MANIFEST),
        ("rollback_service", "validate_rollback", "deploy", SERVICE),
        ("restart_service", "validate_restart", "deploy", SERVICE),
        ("remove_service", "validate_removal", "remove", SERVICE | {"confirm": "e2e-access"}),
        ("rebuild_services", "plan", "deploy", {"environment": WHERE}),
    ],
)
def test_a_user_who_is_not_listed_is_refused_by_the_first_step(
    *, run, access, api, dag_id, step, verb, conf
):
    access(**NEEDS_GRACE)
    outcome = run(dag_id, conf)
    found = f"dags/{dag_id}/dagRuns/{outcome.run_id}"
    assert outcome.state == "failed"
    assert api.xcom(found, step, "error") == ADMIN_MAY_NOT.format(verb=verb)
    assert api.get(f"{found}/taskInstances/{step}")["try_number"] == 1


def test_a_role_from_airflows_settings_grants_access(run, access):
    archive = zip_folder(EXAMPLES / "services/plain-service")
    upload(archive, "datafactory/e2e/access/1.0.0/access-1.0.0.zip")
    access(deploy=["role:admin"])
    assert run("deploy_service", MANIFEST).ok
    access(deploy=["role:op"])
    outcome = run("deploy_service", MANIFEST)
    assert "admin may not deploy here: access.deploy of 'stage'" in outcome.error


def test_a_run_of_the_command_line_belongs_to_the_operating_systems_user(api, access):
    access(**NEEDS_GRACE)
    run_id = f"e2e-access-cli-{time.time_ns()}"
    program = Path(sys.executable).with_name("airflow")
    words = (
        "dags",
        "trigger",
        "deploy_service",
        "--run-id",
        run_id,
        "--conf",
        json.dumps(MANIFEST),
    )
    subprocess.run(
        [program, *words], env=Airflow()._environment(), check=True, capture_output=True, timeout=90
    )
    outcome = follow(api, run_id)
    assert outcome.error == ADMIN_MAY_NOT.format(verb="deploy").replace("admin", getuser())


def test_the_field_rebuild_is_refused_in_a_manual_run(run):
    digest = "sha256:" + "a" * 64
    bases = {"docker.io/library/python:3.11": digest}
    rebuild = {"releaseHash": "h", "digest": digest, "bases": bases}
    outcome = run("deploy_service", MANIFEST | {"rebuild": rebuild})
    assert outcome.error == (
        "The field rebuild is set by rebuild_services alone, and no DAG has started this run. "
        "Leave it out to deploy, or trigger rebuild_services for the service."
    )


def test_a_manifest_without_permission_is_refused_before_the_build(run):
    outcome = run("deploy_service", MANIFEST | {"secretEnv": {"DB": "registry/.dockerconfigjson"}})
    assert "Kubernetes keeps a pull secret's login, which no service may read" in outcome.error
    outcome = run("deploy_service", MANIFEST | {"artifact": "restricted/a.zip"})
    assert "is not in a repository that 'stage' allows: datafactory" in outcome.error
    outcome = run("deploy_service", MANIFEST | {"secretEnv": {"DB": "other-service/password"}})
    assert "the service e2e-access may use Secrets whose name is" in outcome.error
