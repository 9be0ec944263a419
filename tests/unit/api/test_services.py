"""The routes of services: parameters, refusals, and the runs that they start."""

from __future__ import annotations

import time
from typing import Any

import pytest
from manifest_engine.api import airflow_internals, catalog
from manifest_engine.domain.core.errors import ArtifactError
from manifest_engine.services.artifact import published

from tests.unit.api.conftest import CONF
from tests.unit.api.test_catalog import live

PATH = "/api/v1/services"
QUOTES = f"{PATH}/pricing/quotes"


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The conf of each run that was started, by DAG and id."""
    runs: dict[tuple[str, str], Any] = {}

    def start(dag_id: str, run_id: str, conf: Any, **_: Any) -> Any:
        return (
            runs.setdefault((dag_id, run_id), conf)
            if (dag_id, run_id) in runs
            else (runs.update({(dag_id, run_id): conf}))
        )

    monkeypatch.setattr(airflow_internals, "start", start)
    return runs


def test_a_service_is_listed_and_read(client, cluster, run, monkeypatch):
    monkeypatch.setattr(
        airflow_internals, "may_start", lambda dag_id, _: dag_id != "remove_service"
    )
    run("api__1", "success", publish_route="success")
    cluster["dev"] = live()
    (row,) = client.get(PATH, params={"text": "quo", "sort": "-since"}).json()["items"]
    assert (row["serviceName"], row["artifactSha256"]) == ("quotes", "abc")
    (read,) = client.get(QUOTES).json()["environments"]
    assert read["allowed"] == ["deploy", "rollback", "restart"]
    assert read["manifest"] == {"port": 8002}
    (made,) = client.get(f"{QUOTES}/deployments").json()["items"]
    assert (made["id"], made["state"]) == ("api__1", "live")


@pytest.mark.parametrize(
    ("path", "status", "part"),
    [
        (f"{PATH}?cursor=x", 404, "cursor"),
        (f"{PATH}?state=broken", 422, "state"),
        (f"{PATH}?limit=0", 422, "limit"),
        (QUOTES, 404, "quotes"),
        (f"{PATH}/Pricing/quotes", 422, "component"),
        (f"{QUOTES}/deployments?cursor=x", 404, "has no deployment"),
        (f"{QUOTES}/differences?from=a&to=b", 404, "does not have both deployments"),
        (f"{QUOTES}/differences?from=a", 422, "to"),
    ],
)
def test_requests_for_missing_things_are_answered_with_a_problem(client, path, status, part):
    answer = client.get(path)
    assert (answer.status_code, answer.json()["status"]) == (status, status)
    assert part in answer.json()["detail"]


def test_rollback_restart_and_removal_start_their_dags(client, started):
    where = {"component": "pricing", "serviceName": "quotes", "environment": "dev"}
    body = {"environment": "dev", "version": "1.3.0", "dryRun": True}
    answers = [
        client.post(f"{QUOTES}/rollback", json=body),
        client.post(f"{QUOTES}/restart", json={"environment": "dev"}),
        client.delete(QUOTES, params={"environment": "dev"}),
    ]
    assert [answer.status_code for answer in answers] == [202, 202, 202]
    confs = {dag_id: conf for (dag_id, _), conf in started.items()}
    assert confs == {
        "rollback_service": where | {"version": "1.3.0", "dryRun": True},
        "restart_service": where,
        "remove_service": where | {"confirm": "pricing-quotes"},
    }
    for answer in answers:
        location = answer.headers["location"]
        assert location == f"/api/v1/deployments/{answer.json()['id']}"


def test_a_repeated_key_starts_one_restart_and_another_request_is_refused(client, started, run):
    key = {"Idempotency-Key": "order-1"}
    first = client.post(f"{QUOTES}/restart", json={"environment": "dev"}, headers=key).json()["id"]
    run(first, "queued", dag_id="restart_service")
    again = client.post(f"{QUOTES}/restart", json={"environment": "dev"}, headers=key)
    assert (again.status_code, again.json()["id"]) == (202, first)
    other = client.post(f"{PATH}/pricing/x/restart", json={"environment": "dev"}, headers=key)
    assert other.status_code == 409
    assert len(started) == 1


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", f"{QUOTES}/rollback", {"environment": "dve"}, 404),
        ("POST", f"{QUOTES}/rollback", {"environment": "dev", "versoin": "1"}, 422),
        ("POST", f"{QUOTES}/rollback", {"environment": "dev", "version": "\0"}, 422),
        ("POST", f"{QUOTES}/rollback", {"environment": "dev", "dryRun": 0}, 422),
        ("POST", f"{QUOTES}/restart", {}, 422),
        ("DELETE", QUOTES, None, 422),
        ("DELETE", f"{QUOTES}?environment=dve", None, 404),
    ],
)
def test_a_bad_request_starts_nothing(*, client, started, method, path, body, status):
    assert client.request(method, path, json=body).status_code == status
    assert not started


def test_the_environments_access_applies(client, started, monkeypatch):
    from manifest_engine.domain.environment import environments
    from manifest_engine.domain.environment.access import Access

    configured = environments.load()
    rules = Access(deploy=("grace",), remove=("grace",))
    dev = configured["dev"].model_copy(update={"access": rules})
    monkeypatch.setattr(environments, "load", lambda: configured | {"dev": dev})
    for answer in (
        client.post("/api/v1/deployments", json=CONF),
        client.post(f"{QUOTES}/restart", json={"environment": "dev"}),
        client.post(f"{QUOTES}/rollback", json={"environment": "dev"}),
        client.delete(f"{QUOTES}?environment=dev"),
        client.get("/api/v1/artifacts?component=a&serviceName=b&environment=dev"),
    ):
        assert answer.status_code == 403
        assert "grace" in answer.json()["detail"]
    assert not started
    assert catalog.allowed("dev", type("Ada", (), {"get_name": lambda _: "ada"})()) == []


def test_the_versions_in_artifactory_are_listed_or_the_answer_names_the_reason(client, monkeypatch):
    path = "/api/v1/artifacts?component=pricing&serviceName=quotes&environment=dev"
    item = {"version": "1", "path": "a/b.zip", "size": 3, "publishedAt": None, "sha256": None}
    monkeypatch.setattr(published, "_versions", lambda *_: {"items": [item], "complete": True})
    assert client.get(path).json() == {"items": [item], "complete": True}

    def refuse(*_: Any) -> Any:
        raise ArtifactError("Artifactory refuses.")

    monkeypatch.setattr(published, "_versions", refuse)
    assert client.get(path).json()["detail"] == "Artifactory refuses."
    monkeypatch.setattr(published, "LIST_SECONDS", 0.05)
    monkeypatch.setattr(published, "_versions", lambda *_: time.sleep(0.3))
    assert client.get(path).status_code == 503
    assert client.get(path.replace("=dev", "=dve")).status_code == 404
