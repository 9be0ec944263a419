"""The routes, over a database with Airflow's own tables. Airflow's log-in is replaced here."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from manifest_engine.api import airflow_internals, followers
from manifest_engine.api.followers import Followers
from manifest_engine.domain.record.audit import Run
from manifest_engine.domain.record.deployment import Facts, Task

from tests.unit.api.conftest import BEGIN, CONF

PATH = "/api/v1/deployments"
RUN = Run("deploy_service", "api__1", "running", {}, "rest_api", "ada", BEGIN, BEGIN, None)
FACTS = Facts(RUN, "", [Task("validate", "running", 1, BEGIN, None)], {})


def test_a_deployment_is_read_with_its_steps_and_its_error(client, run):
    run("api__1", "failed", {("validate", "error"): "No such field."}, validate="failed")
    found = client.get(f"{PATH}/api__1").json()
    assert (found["state"], found["failedStep"]) == ("failed", "validate")
    assert found["error"] == "No such field."
    assert (found["component"], found["requestedBy"]) == ("pricing", "ada")
    assert [step["name"] for step in found["steps"]] == ["validate"]


def test_what_does_not_exist_is_a_problem(client):
    for method, path in (("GET", "x"), ("GET", "x/events"), ("POST", "x/cancel")):
        answer = client.request(method, f"{PATH}/{path}")
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["status"] == answer.status_code == 404


def test_the_events_end_with_the_deployment_and_can_be_resumed(client, run):
    run("api__1", "success", validate="success", publish_route="success")
    lines = client.get(f"{PATH}/api__1/events").text.splitlines()
    ids = [line.removeprefix("id: ") for line in lines if line.startswith("id: ")]
    assert ids == ["01-validate-1-succeeded", "02-publish_route-1-succeeded", "99-live"]
    headers = {"Last-Event-ID": "02-publish_route-1-succeeded"}
    again = client.get(f"{PATH}/api__1/events", headers=headers).text
    assert again.startswith("id: 99-live\nevent: deployment\ndata: {")


def test_steps_that_ended_while_the_connection_was_lost_are_sent_after_a_state(client, run):
    run("api__1", "success", validate="success", publish_route="success")
    headers = {"Last-Event-ID": "99-running"}
    text = client.get(f"{PATH}/api__1/events", headers=headers).text
    assert text.startswith("id: 01-validate-1-succeeded\n")


def test_followers_are_limited(client, run, monkeypatch):
    run("api__1", "success", validate="success")
    monkeypatch.setattr(followers, "FOLLOWERS_MAX", 0)
    assert client.get(f"{PATH}/api__1/events").status_code == 503


def test_a_bad_manifest_is_refused_with_all_its_problems(client):
    answer = client.post(PATH, json=CONF | {"prot": 1, "port": "x"})
    assert answer.status_code == 422
    assert {item["pointer"] for item in answer.json()["errors"]} == {"/prot", "/port"}


@pytest.mark.parametrize("body", ["", "[]", '"x"', "{", "\0", '{"a": NaN}', "[" * 5000])
def test_what_is_no_object_is_refused(client, body):
    for path in (PATH, "/api/v1/manifest/validate"):
        answer = client.post(path, content=body, headers={"Content-Type": "application/json"})
        assert answer.status_code in (200, 400, 422), answer.text
        assert answer.status_code != 200 or not answer.json()["valid"]
        assert len(answer.text) < 5_000


@pytest.mark.parametrize("key", ["", "with blank", "é", "x" * 256])
def test_a_bad_key_is_refused(client, key):
    headers = {"Idempotency-Key": key.encode()}
    assert client.post(PATH, json=CONF, headers=headers).status_code == 422


def test_a_manifest_is_checked_without_a_deployment(client):
    assert client.post("/api/v1/manifest/validate", json=CONF).json() == {
        "valid": True,
        "errors": [],
    }
    errors = client.post("/api/v1/manifest/validate", json=CONF | {"port": 0}).json()["errors"]
    assert [item["pointer"] for item in errors] == ["/port"]
    assert client.get("/api/v1/manifest/schema").json()["title"] == "Manifest of a deployment"


def test_environments_name_no_connection(client):
    answer = client.get("/api/v1/environments")
    assert "dev" in [item["name"] for item in answer.json()["environments"]]
    assert "connection" not in answer.text.lower()


def test_an_ended_deployment_is_neither_cancelled_nor_answered(client, run):
    run("api__1", "success", publish_route="success")
    for action in ("cancel", "approve", "reject"):
        answer = client.post(f"{PATH}/api__1/{action}")
        assert answer.status_code == 409
        assert "it is live" in answer.json()["detail"]


def test_an_unexpected_error_shows_no_internal_text(client, monkeypatch):
    @contextmanager
    def broken(*_: object) -> Iterator[None]:
        raise RuntimeError("password=hunter2")
        yield

    monkeypatch.setattr(airflow_internals.rows, "NonScopedSession", broken)
    answer = client.get(f"{PATH}/api__1")
    assert answer.status_code == 500
    assert "hunter2" not in answer.text


def test_a_quiet_deployment_sends_comments_that_keep_the_connection_open(monkeypatch):
    monkeypatch.setattr(followers, "PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(followers, "PING_SECONDS", 0.1)

    async def first_four() -> list[str]:
        stream = Followers(lambda _: {"api__1": FACTS}).stream("api__1", None)
        found = [await asyncio.wait_for(anext(stream), 5) for _ in range(4)]
        await stream.aclose()  # type: ignore[attr-defined]
        return found

    step, state, *comments = asyncio.run(first_four())
    assert step.startswith("id: 01-validate-1-running")
    assert state.startswith("id: 99-running")
    assert comments == [": still here\n\n"] * 2
