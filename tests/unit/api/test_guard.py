"""The limits of every request."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fastapi import FastAPI, Request
from fastapi.testclient import TestClient
from manifest_engine.api import guard

TOKEN = {"Authorization": "Bearer x"}


@pytest.fixture
def client() -> Iterator[TestClient]:
    app = FastAPI()
    app.add_middleware(guard.Guard)

    @app.api_route("/", methods=["GET", "POST", "DELETE"])
    async def echo(request: Request) -> int:
        return len(await request.body())

    with TestClient(app, base_url="https://airflow.example.com") as made:  # one event loop for all
        yield made


def test_a_body_above_the_limit_is_refused_whether_or_not_its_length_is_given(client):
    most = b"x" * guard.BODY_MAX
    assert client.post("/", content=most, headers=TOKEN).json() == guard.BODY_MAX
    assert client.post("/", content=most + b"x", headers=TOKEN).status_code == 413
    chunks = iter([most, b"x"])
    answer = client.post("/", content=chunks, headers=TOKEN)
    assert answer.status_code == 413
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (TOKEN, 200),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({"Origin": "https://airflow.example.com"}, 200),
        ({}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "https://airflow.example.com"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Origin": "https://evil.example.com"}, 403),
        ({"Origin": "null"}, 403),
    ],
)
def test_a_cookie_counts_on_pages_of_this_server_alone(client, headers, status):
    client.cookies.set("_token", "x")
    assert client.delete("/", headers=headers).status_code == status
    assert client.get("/", headers=headers).status_code == 200


def test_a_request_without_any_credential_is_left_to_the_log_in(client):
    assert client.post("/").status_code == 200


def test_too_many_requests_of_one_client_are_refused_and_others_are_not(client, monkeypatch):
    monkeypatch.setattr(guard.time, "monotonic", lambda: 1.0)  # a slow machine earns no tokens
    found = {client.post("/", headers=TOKEN).status_code for _ in range(guard.WRITES_A_MINUTE + 5)}
    assert found == {200, 429}
    assert client.post("/", headers=TOKEN).headers["retry-after"] == "60"
    assert client.get("/", headers=TOKEN).status_code == 200
    assert client.post("/", headers={"Authorization": "Bearer y"}).status_code == 200
