"""Artifactory's webhook: only a signed request starts a run, and the same ZIP starts one run."""

from __future__ import annotations

import hmac
import json
from typing import Any

import pytest
import yaml
from manifest_engine.api import airflow_internals, webhooks
from manifest_engine.domain.environment import environments

from tests.unit.domain.artifact.test_announced import EVENT, FOUND

PATH = "/api/v1/webhooks/artifactory"


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch, tmp_path) -> list[Any]:
    content = yaml.safe_load((environments.INCLUDE / "environments.yaml").read_text())
    webhook = {"connection": "jfrog", "paths": ["datafactory/pricing/*.zip"]}
    content["environments"]["dev"]["webhook"] = webhook
    (tmp_path / "environments.yaml").write_text(yaml.safe_dump(content))
    monkeypatch.setenv(environments.PATH_VARIABLE, str(tmp_path / "environments.yaml"))
    monkeypatch.setattr(airflow_internals, "password", lambda conn_id: {"jfrog": "key"}[conn_id])
    webhooks._secret.cache_clear()
    made: list[Any] = []

    def announce(dag: str, run: str, conf: Any, user: str, session: Any) -> bool:
        known = (dag, run, conf, user) in made
        made.append((dag, run, conf, user))
        return not known

    monkeypatch.setattr(airflow_internals, "announce", announce)
    return made


def send(client: Any, event: Any, secret: str = "key") -> Any:
    body = event if isinstance(event, bytes) else json.dumps(event).encode()
    signature = hmac.digest(secret.encode(), body, "sha256").hex()
    return client.post(PATH, content=body, headers={"X-JFrog-Event-Auth": signature})


def test_a_zip_starts_a_run_once(client, started):
    answer = send(client, EVENT)
    assert answer.status_code == 202
    run = {"environment": "dev", "artifact": FOUND.artifact, "run": FOUND.run_id}
    assert answer.json() == {"started": [run]}
    assert started == [("deploy_announced", FOUND.run_id, FOUND.dump(), "webhook:artifactory")]
    assert send(client, EVENT).json() == {"started": []}


@pytest.mark.parametrize(
    "change",
    [
        {"event_type": "deleted"},
        {"data": EVENT["data"] | {"path": "other/x/1/x-1.zip"}},
        {"data": EVENT["data"] | {"repo_key": "elsewhere"}},
    ],
)
def test_a_path_that_no_environment_accepts_starts_nothing(client, started, change):
    answer = send(client, EVENT | change)
    assert (answer.status_code, answer.json()) == (202, {"started": []})
    assert started == []


def test_a_wrong_signature_is_refused(client, started):
    for answer in (send(client, EVENT, "wrong"), client.post(PATH, json=EVENT)):
        assert answer.status_code == 401
    answer = client.post(PATH, json=EVENT, headers={"X-JFrog-Event-Auth": "key"})
    assert answer.status_code == 401
    assert started == []


def test_by_default_nobody_can_send(client):
    assert send(client, EVENT).status_code == 401


def test_a_signed_body_that_is_not_an_event_is_refused(client, started):
    assert send(client, b"[]").status_code == 422
    assert send(client, b"x" * 200_000).status_code == 413
