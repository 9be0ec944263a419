"""An engine of the test's own behind the Connection ``docker_default``."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.unit.hooks.engine.engine_double import Engine


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    made = Engine()
    fields = {"conn_type": "docker", "host": made.address}
    monkeypatch.setenv("AIRFLOW_CONN_DOCKER_DEFAULT", json.dumps(fields))
    yield made
    made.shutdown()
    made.server_close()
