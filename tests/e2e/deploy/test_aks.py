"""The environment ``aks``: the whole flow through ARM and Entra ID, with the smallest role."""

from __future__ import annotations

import json
from typing import Any

import pytest
import requests

from sandbox.airflow.airflow import Airflow
from sandbox.core import process
from sandbox.services.azure import arm

FIX = "run `.venv/bin/python -m sandbox down --only airflow` and `.venv/bin/python -m sandbox up`"


@pytest.fixture(scope="module", autouse=True)
def configured(api: Any) -> None:
    found = api.get("connections/aks_default")
    if not found or found["login"] != arm.connection()["login"]:
        pytest.fail(f"Airflow has no current connection aks_default: {FIX}", pytrace=False)


def asked_of_arm() -> int:
    """Number of requests to ARM for the cluster's kubeconfig."""
    wanted = f"managedClusters/{arm.CLUSTER}/listClusterUserCredential"
    lines = process.log_file("arm").read_text().splitlines()
    return sum(wanted in line and "200" in line for line in lines)


def test_a_service_goes_live_through_arm_and_entra_id(
    service: Any, apps: Any, environment: dict[str, str]
) -> None:
    quotes = service()
    outcome = quotes.deploy(environment="aks")
    assert outcome.ok, outcome.error
    assert "quote" in requests.get(f"{outcome.url}/echo", timeout=10).json()
    assert asked_of_arm() > 0, "the kubeconfig is kept for an hour, and came from ARM"
    live = apps.read_namespaced_deployment(quotes.object_name, environment["NAMESPACE"])
    assert live.status.available_replicas == 2


def test_the_next_version_replaces_the_service_and_a_broken_version_does_not(service: Any) -> None:
    plain = service("plain-service")
    first = plain.deploy(environment="aks")
    assert first.ok, first.error
    crash = {"src/aiservice.py": b"import os\n\nDATABASE = os.environ['DATABASE_URL']\n"}
    broken = plain.deploy(crash, version="1.1.0")
    assert (broken.state, broken.failed_step) == ("failed", "smoke_test")
    assert "KeyError: 'DATABASE_URL'" in broken.error, "the logs of the pod can be read"
    assert requests.get(first.url, timeout=10).ok


def test_the_connection_form_has_our_types_with_their_fields() -> None:
    airflow = Airflow()
    answer = requests.get(
        f"{airflow.url}/ui/connections/hook_meta",
        headers={"Authorization": f"Bearer {airflow.token()}"},
        timeout=30,
    )
    forms = {form["connection_type"]: form for form in answer.json()}
    assert {"artifactory", "acr", "aks"} <= set(forms)
    assert {"subscription_id", "resource_group", "cluster_name", "auth"} <= set(
        forms["aks"]["extra_fields"]
    )
    assert forms["aks"]["standard_fields"]["password"]["title"] == "Client secret"
    assert forms["aks"]["standard_fields"]["host"]["hidden"]


@pytest.mark.parametrize(
    ("password", "status", "said"),
    [(None, True, "takes this identity"), ("wrong", False, "AADSTS7000215: Invalid client secret")],
)
def test_the_test_button_asks_the_cluster(password: str | None, status: bool, said: str) -> None:
    airflow, known = Airflow(), arm.connection()
    body = {
        "connection_id": "new_aks",
        "conn_type": "aks",
        "login": known["login"],
        "password": password or known["password"],
        "extra": json.dumps(known["extra"]),
    }
    answer = requests.post(
        f"{airflow.url}/api/v2/connections/test",
        json=body,
        headers={"Authorization": f"Bearer {airflow.token()}"},
        timeout=60,
    )
    assert answer.ok, f"{answer.text}: {FIX}"
    assert answer.json()["status"] is status
    assert said in answer.json()["message"]
