"""The pages with a database of Airflow's tables, without Airflow's login."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from manifest_engine.api import airflow_internals

from tests.unit.api.conftest import log_in, unused_app


@pytest.fixture
def whole(session: Any, cluster: Any, monkeypatch: pytest.MonkeyPatch) -> FastAPI:
    """The app with a logged-in user who may do everything."""
    make = airflow_internals.rows.NonScopedSession
    monkeypatch.setattr(airflow_internals.reports, "NonScopedSession", make)
    return log_in(unused_app(), session)


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
