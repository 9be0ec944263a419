"""The pages over a database with Airflow's own tables. Airflow's log-in is replaced here."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, get_args

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from manifest_engine.api import airflow_internals, app
from starlette.routing import Mount


def pages_of(whole: FastAPI) -> FastAPI:
    """The mounted app of the pages."""
    found = [item.app for item in whole.routes if isinstance(item, Mount) and item.path == "/ui"]
    assert isinstance(found[0], FastAPI)
    return found[0]


@pytest.fixture
def whole(session: Any, cluster: Any, monkeypatch: pytest.MonkeyPatch) -> FastAPI:
    """The app with a logged-in user who may do everything."""
    make = airflow_internals.rows.NonScopedSession
    monkeypatch.setattr(airflow_internals.reports, "NonScopedSession", make)
    made = app.create()
    user = SimpleNamespace(get_name=lambda: "ada", get_id=lambda: "ada")
    for part in (made, pages_of(made)):
        for route in part.routes:
            for dependency in getattr(route, "dependencies", ()):
                part.dependency_overrides[dependency.dependency] = lambda: None
        part.dependency_overrides[airflow_internals.get_user] = lambda: user
        database = get_args(airflow_internals.SessionDep)[1].dependency
        part.dependency_overrides[database] = lambda: session
    return made


@pytest.fixture
def browser(whole: FastAPI) -> TestClient:
    return TestClient(whole, raise_server_exceptions=False, follow_redirects=False)


@pytest.fixture
def see(browser: TestClient) -> Callable[[str], str]:
    """Reads a page that answers 200."""

    def read(path: str) -> str:
        answer = browser.get(f"/ui{path}")
        assert answer.status_code == 200, answer.text
        return answer.text

    return read
