"""Requests by the OpenAPI document, right and wrong ones: every answer is one that it describes.

Starting a run and Artifactory are replaced: they are outside of this process. Tests with real users
(``tests/e2e/api/test_api_rights.py``) replace the check ``ignored_auth``.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from manifest_engine.api import airflow_internals, app, catalog, guard
from manifest_engine.services.artifact import published
from manifest_engine.services.record.observation import Observer
from manifest_engine.services.record.run_index import RunIndex
from schemathesis.checks import load_all_checks
from schemathesis.specs.openapi import checks

from tests.unit.api.conftest import database, log_in

load_all_checks()
SESSIONS = database()
DOCUMENT = schemathesis.openapi.from_asgi("/api/openapi.json", log_in(app.create(), SESSIONS()))
HEADERS = {"Authorization": "Bearer x"}
EXAMPLES = 20
"""Requests for each operation."""


@pytest.fixture(scope="module", autouse=True)
def outside() -> Iterator[None]:
    """Replace clusters, runs and rate limits, so that only the requests decide the answers."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(airflow_internals.rows, "NonScopedSession", SESSIONS)
        patch.setattr(airflow_internals, "start", lambda *_, **__: None)
        patch.setattr(catalog, "observer", Observer(lambda *_: {}))
        index = RunIndex(
            airflow_internals.recorded, airflow_internals.active, airflow_internals.states
        )
        patch.setattr(catalog, "runs", index)
        patch.setattr(published, "_versions", lambda *_: {"items": [], "complete": True})
        patch.setattr(guard, "READS_A_MINUTE", 10**6)
        patch.setattr(guard, "WRITES_A_MINUTE", 10**6)
        yield


@DOCUMENT.parametrize()
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
def test_every_answer_is_described(case: schemathesis.Case) -> None:
    left_out = [checks.ignored_auth]
    if case.path == "/api/v1/deployments":
        # An environment's own rules refuse manifests that the schema allows.
        left_out.append(checks.positive_data_acceptance)
    case.call_and_validate(headers=HEADERS, excluded_checks=left_out)
