"""The portal's script against the stack's Airflow."""

from __future__ import annotations

from sandbox.compose import configuration
from tests.compose.conftest import ManyService
from tests.e2e.api.test_infra_hub_client import (
    Portal,
    a_service_from_its_first_failure_to_its_removal,
)
from tests.e2e.conftest import SESSION, remove


def test_a_portal_deploys_corrects_and_removes_a_service(compose, cluster, environment, tmp_path):
    login = {
        **environment,
        "AIRFLOW_URL": compose.url,
        "AIRFLOW_USER": "admin",
        "AIRFLOW_PASSWORD": configuration.password(),
    }
    quote = ManyService("quote-service", f"portal-{SESSION}")
    try:
        a_service_from_its_first_failure_to_its_removal(Portal(login, tmp_path), quote)
    finally:
        remove(cluster, environment["NAMESPACE"], quote.object_name)
