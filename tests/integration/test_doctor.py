"""The checks of an installation against the sandbox, with and without faults."""

from __future__ import annotations

import json
from typing import Any

import pytest
import requests
from manifest_engine.domain.doctor.finding import MISSING, OK
from manifest_engine.domain.environment.environment import Environment

from sandbox.airflow import configuration

GATEWAY = "gateway-system/datafactory-gateway"


@pytest.fixture
def connections(
    sandbox: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> dict[str, dict[str, Any]]:
    """The sandbox's Connections, also as environment variables."""
    found = configuration.desired_connections()
    for conn_id, fields in found.items():
        monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(fields))
    requests.put(
        f"{sandbox['ARTIFACTORY_URL']}/datafactory/doctor/any.zip",
        data=b"any",
        headers={"Authorization": f"Bearer {sandbox['ARTIFACTORY_TOKEN']}"},
        timeout=10,
    ).raise_for_status()
    return found


def examine(name: str = "dev", **changes: Any) -> dict[tuple[str, str], Any]:
    from manifest_engine.services.doctor import checks, examination

    given = configuration.desired_environments()["environments"][name]
    environment = Environment.model_validate(given | changes, strict=False)
    # Longer than the default, because parallel tests share the machine.
    found = examination.examine(checks.of(name, environment), each_seconds=30)
    return {(item.part.split()[0], item.check): item for item in found}


def test_an_aks_cluster_lacks_nothing(connections):
    found = examine("aks")
    assert [str(item) for item in found.values() if item.state == MISSING] == []
    for check in ("Connection", "API server", "role manifest-engine", "admission"):
        assert found["cluster", check].state == OK
    assert "apache-airflow-providers-microsoft-azure 1" in found["packages", "version"].text
    assert found["cluster", "version"].text.startswith("Kubernetes v1.")
    assert found["registry", "push"].text == "A token for datafactory/* grants pull and push."
    assert found["route", "Gateway"].text == f"{GATEWAY} of class contour is programmed."


def test_each_fault_is_named_with_its_remedy(connections, monkeypatch):
    def wrong(conn_id: str, **fields: Any) -> None:
        changed = connections[conn_id] | fields
        monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(changed))

    monkeypatch.delenv("AIRFLOW_CONN_KUBERNETES_DEFAULT")
    wrong("artifactory_default", password="wrong")
    wrong("acr_default", password="wrong")
    wrong("package_index_default", password="wrong")
    wrong("docker_default", host="tcp://127.0.0.1:9")

    found = examine()

    missing = {key: item.text for key, item in found.items() if item.state == MISSING}
    assert "put a valid token into its password" in missing["artifactory", "ping"]
    assert "correct login and password" in missing["registry", "login"]
    assert "correct its login and password" in missing["package", "login"]
    assert "start its Docker engine, or correct the Connection" in missing["builder", "engine"]
    assert "'airflow connections add kubernetes_default'" in missing["cluster", "Connection"]
    assert "not configured" not in " ".join(missing.values())


def test_a_missing_gateway_and_an_unknown_repository_are_named(connections):
    given = configuration.desired_environments()["environments"]["dev"]
    gateway = {"name": "nowhere", "namespace": "gateway-system"}
    artifactory = given["artifactory"] | {"repository": "unknown-repository"}
    found = examine(routing=given["routing"] | {"gateway": gateway}, artifactory=artifactory)
    assert "The Gateway gateway-system/nowhere does not exist" in found["route", "Gateway"].text
    text = found["artifactory", "repository unknown-repository"].text
    assert "has no repository 'unknown-repository'" in text


def test_the_step_pushes_the_table_and_fails_when_something_is_missing(
    connections, context, monkeypatch
):
    from manifest_engine.domain.core.errors import ConfigurationError
    from manifest_engine.operators.doctor.check_installation import CheckInstallation

    path = configuration.environments(configuration.SETTINGS.state / "airflow")
    monkeypatch.setenv("MANIFEST_ENGINE_ENVIRONMENTS", str(path))
    monkeypatch.delenv("AIRFLOW_CONN_DOCKER_DEFAULT")
    made = context("run-doctor")
    made["dag_run"].conf = {"environment": "dev"}
    with pytest.raises(ConfigurationError, match="builder docker_default, Connection"):
        CheckInstallation(task_id="check").execute(made)
    assert made["pushed"]["table"]["counts"]["missing"] >= 1
