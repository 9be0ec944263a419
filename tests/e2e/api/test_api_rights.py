"""Every route of the API and the pages, as nobody, as a viewer and as a user who may deploy."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from tests.api_rights import NEEDED, NOBODY, SIGNED, USER, VIEWER
from tests.e2e.api.test_api import Hub

CALLERS = {NOBODY: None, VIEWER: "viewer", USER: "deployer"}
RANKS = [*CALLERS, SIGNED]
NAMES = {
    "run_id": "nothing",
    "step": "validate",
    "component": "nobody",
    "serviceName": "nothing",
    "service": "nothing",
    "kind": "csv",
}


@pytest.fixture(scope="module")
def hubs() -> dict[str, Hub]:
    return {role: Hub(user) for role, user in CALLERS.items() if user}


def ask(base: str, route: str, **more: Any) -> requests.Response:
    """A request with a valid path that cannot start anything."""
    method, _, path = route.partition(" ")
    body = {"json": {}} if method == "POST" else {}
    url = base.removesuffix("/api/v1") + path.format(**NAMES)
    return requests.request(method, url, timeout=60, allow_redirects=False, **body, **more)


@pytest.mark.parametrize("route", NEEDED)
@pytest.mark.parametrize("role", CALLERS)
def test_a_route_is_open_only_to_users_whom_airflow_allows(
    hubs: dict[str, Hub], role: str, route: str
) -> None:
    base = hubs[VIEWER].base
    headers = dict(hubs[role].http.headers) if role in hubs else {}
    answer = ask(base, route, headers=headers)
    refused = answer.status_code in (401, 403) or "/auth/login" in answer.headers.get(
        "location", ""
    )
    assert refused == (RANKS.index(role) < RANKS.index(NEEDED[route])), answer.text[:300]
    assert answer.status_code < 500


@pytest.mark.parametrize("route", [route for route in NEEDED if not route.startswith("GET ")])
def test_a_cookie_alone_changes_nothing_from_another_site(hubs: dict[str, Hub], route: str) -> None:
    token = hubs[USER].http.headers["Authorization"].removeprefix("Bearer ")
    for headers in ({}, {"Origin": "https://other.example.com"}, {"Sec-Fetch-Site": "cross-site"}):
        answer = ask(hubs[USER].base, route, cookies={"_token": token}, headers=headers)
        assert answer.status_code == 403
        assert "cookie" in answer.json()["detail"]
