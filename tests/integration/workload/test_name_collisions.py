"""A service with the object name of another service in the real cluster is refused."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from manifest_engine.domain.core.errors import ManifestError
from manifest_engine.domain.environment import environments
from manifest_engine.domain.removal import removal
from manifest_engine.operators.manifest.validate_manifest import ValidateManifest
from manifest_engine.operators.release.validate_rollback import ValidateRollback
from manifest_engine.operators.removal.remove_service import RemoveRoute

from tests.integration.names import COMPONENT, LEASE_NAME, NAME

_FIRST, _, _REST = NAME.partition("-")
COLLIDING = {"component": _FIRST, "serviceName": _REST, "environment": "dev"}
OWNER = f"is the service 'service' of component '{COMPONENT}', not '{_REST}' of '{_FIRST}'"


@pytest.fixture
def run(make_release, context, sandbox, monkeypatch):
    """Runs the first step of a DAG with a conf."""
    monkeypatch.setattr(environments, "load", lambda: {"dev": make_release().environment})
    for conn_id, host in (("artifactory", None), ("docker", None), ("acr", sandbox["REGISTRY"])):
        text = json.dumps({"conn_type": conn_id, "host": host})
        monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}_DEFAULT", text)

    def execute(step, conf):
        dag_run = SimpleNamespace(
            conf=conf, run_id="second", run_after=datetime.now(UTC), run_type="manual"
        )
        return step(task_id="validate").execute(context("second") | {"dag_run": dag_run})

    return execute


@pytest.fixture
def owner(apply, make_release, kube, namespace):
    """The service that has the name. The fixture checks that the service is unchanged."""
    apply(make_release())

    def state():
        return kube("get", f"deployment/{NAME}", "-n", namespace, "-o", "jsonpath={.metadata.uid}")

    before = state()
    yield
    assert state() == before


def test_a_deployment_is_refused_before_anything_is_built(owner, run):
    with pytest.raises(ManifestError, match=OWNER):
        run(ValidateManifest, COLLIDING | {"version": "1"})


def test_the_owner_of_the_name_can_be_deployed_again(owner, run):
    own = {"component": COMPONENT, "serviceName": "service", "environment": "dev"}
    assert run(ValidateManifest, own | {"version": "2"})["manifest"]["version"] == "2"


def test_an_unreachable_cluster_does_not_fail_the_validation(run, monkeypatch, sandbox):
    config = {"kube_config": json.dumps(_config("https://127.0.0.1:9"))}
    connection = {"conn_type": "kubernetes", "extra": config}
    monkeypatch.setenv("AIRFLOW_CONN_KUBERNETES_DEFAULT", json.dumps(connection))
    assert run(ValidateManifest, COLLIDING | {"version": "1"})["manifest"]["component"] == _FIRST


def test_a_rollback_is_refused(owner, run):
    with pytest.raises(ManifestError, match=OWNER):
        run(ValidateRollback, COLLIDING)


def test_a_removal_is_refused_and_releases_the_lease(owner, make_release, context, get):
    planned = removal.plan(
        removal.parse(COLLIDING | {"confirm": NAME}),
        {"dev": make_release().environment},
        run_id="removal",
        requested_at=datetime.now(UTC),
        requested_by="tester",
    )
    with pytest.raises(ManifestError, match=OWNER):
        RemoveRoute(task_id="remove_route", removal=planned.dump()).execute(context("removal"))
    assert get(f"lease/{LEASE_NAME}") is None


def _config(server):
    cluster, context = {"server": server}, {"cluster": "a", "user": "a"}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "a",
        "clusters": [{"name": "a", "cluster": cluster}],
        "contexts": [{"name": "a", "context": context}],
        "users": [{"name": "a", "user": {}}],
    }
