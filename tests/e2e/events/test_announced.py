"""A ZIP that Artifactory announces is deployed, once."""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests
import yaml

from sandbox.airflow import configuration as airflow_configuration
from sandbox.airflow.airflow import Airflow
from sandbox.airflow.api import AirflowApi
from sandbox.airflow.deploy import follow, upload
from sandbox.core.settings import SETTINGS
from tests.e2e.events.test_events import wait_for

pytestmark = pytest.mark.alone
CONNECTION = "e2e_artifactory_webhook"
DAG = "deploy_announced"


@pytest.fixture
def secret(api: AirflowApi) -> Iterator[str]:
    """Let the webhook deploy the ZIPs of the tests to ``dev``."""
    made = secrets.token_hex(16)
    connection = {"connection_id": CONNECTION, "conn_type": "generic", "password": made}
    api.session.delete(f"{api.base}/connections/{CONNECTION}", timeout=30)
    api.session.post(f"{api.base}/connections", json=connection, timeout=30).raise_for_status()
    path = airflow_configuration.environments(SETTINGS.state / "airflow")
    before = path.read_text()
    content = yaml.safe_load(before)
    block = {"connection": CONNECTION, "paths": ["datafactory/e2e/*.zip"]}
    content["environments"]["dev"]["webhook"] = block
    path.write_text(yaml.safe_dump(content))
    try:
        wait_for(lambda: (api.get(f"dags/{DAG}") or {}).get("is_stale") is False, DAG)
        yield made
    finally:
        path.write_text(before)


def announce(secret: str, artifact: str, archive: bytes) -> Any:
    """A request of Artifactory's webhook, as in tests/unit/domain/artifact/test_announced.py."""
    repository, _, path = artifact.partition("/")
    data = {
        "repo_key": repository,
        "path": path,
        "name": path.rpartition("/")[2],
        "sha256": hashlib.sha256(archive).hexdigest(),
        "size": len(archive),
    }
    body = json.dumps({"domain": "artifact", "event_type": "deployed", "data": data}).encode()
    signature = hmac.digest(secret.encode(), body, "sha256").hex()
    answer = requests.post(
        f"{Airflow().url}/manifest-engine/api/v1/webhooks/artifactory",
        data=body,
        headers={"X-JFrog-Event-Auth": signature},
        timeout=30,
    )
    assert answer.status_code == 202, answer.text
    return answer.json()["started"]


def test_an_announced_zip_is_deployed_once_and_an_older_one_is_not(service, api, secret):
    plain = service("plain-service")
    name = plain.manifest["serviceName"]
    fields = ("port", "smokeTest", "healthPath")
    manifest = {key: plain.manifest[key] for key in fields if key in plain.manifest}

    def published(version: str) -> tuple[str, bytes]:
        archive = plain.zip({"manifest.json": json.dumps(manifest).encode()})
        path = f"datafactory/e2e/{name}/{version}/{name}-{version}.zip"
        upload(archive, path)
        return path, archive

    path, archive = published("1.10.0")
    (started,) = announce(secret, path, archive)
    assert started["environment"] == "dev"
    wait_for(lambda: api.get(f"dags/deploy_service/dagRuns/{started['run']}"), "the deployment")
    outcome = follow(api, started["run"])
    assert outcome.ok, outcome.error
    assert requests.get(outcome.url, timeout=10).status_code == 200
    run = api.get(f"dags/deploy_service/dagRuns/{started['run']}")
    assert run["triggering_user_name"] == "webhook:artifactory"
    assert announce(secret, path, archive) == []

    (older,) = announce(secret, *published("1.9.0"))
    end = time.monotonic() + 120
    while (state := api.get(f"dags/{DAG}/dagRuns/{older['run']}")["state"]) != "success":
        assert time.monotonic() < end, state
        time.sleep(0.5)
    assert api.get(f"dags/deploy_service/dagRuns/{older['run']}") is None
