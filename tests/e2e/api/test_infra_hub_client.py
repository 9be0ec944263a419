"""The portal's script, called by its command line with the id of an order."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import requests

from sandbox.airflow.deploy import upload
from sandbox.core.settings import REPOSITORY
from tests.e2e.conftest import EXAMPLES, SESSION

PORTAL = EXAMPLES / "infra_hub_client.py"


class Portal:
    """The script, for one Airflow.

    :param login: AIRFLOW_URL, AIRFLOW_USER and AIRFLOW_PASSWORD.
    """

    def __init__(self, login, folder):
        self._login, self._file = login, folder / "manifest.json"

    def __call__(self, verb, manifest, order):
        """Exit status and lines of one call."""
        self._file.write_text(json.dumps(manifest))
        done = subprocess.run(
            [sys.executable, PORTAL, verb, self._file, f"{order}-{SESSION}"],
            env={**os.environ, **self._login, "PYTHONPATH": str(REPOSITORY / "plugins")},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert not done.stderr
        return done.returncode, done.stdout.splitlines()


def a_service_from_its_first_failure_to_its_removal(portal, quote):
    """Deploy a broken and a corrected manifest and another version, roll back, and remove."""
    manifest, name = quote.manifest, quote.manifest["serviceName"]

    def put(version, changes=None):
        path = f"datafactory/e2e/{name}/{version}/{name}-{version}.zip"
        upload(quote.zip(changes), path)
        return manifest | {"version": version}

    crash = {"src/aiservice.py": b"import os\n\nDATABASE = os.environ['DATABASE_URL']\n"}
    status, lines = portal("deploy", put("0.9.0", crash), "broken")
    assert status == 1
    assert any(line.startswith("failed at smoke_test: ") for line in lines), lines
    assert "KeyError: 'DATABASE_URL'" in lines

    status, lines = portal("deploy", put("1.0.0"), "mended")
    assert status == 0, lines
    assert f"{'publish_route':<18} succeeded" in lines
    url = lines[-1]
    first = requests.get(f"{url}/echo", timeout=10).json()["quote"]
    second = put("1.1.0", quote.source("A ship in harbor", "A changed ship"))
    assert portal("deploy", second, "second")[0] == 0
    assert requests.get(f"{url}/echo", timeout=10).json()["quote"] != first

    status, lines = portal("rollback", second, "back")
    assert (status, lines[-1]) == (0, url), lines
    assert requests.get(f"{url}/echo", timeout=10).json()["quote"] == first
    status, lines = portal("remove", second, "gone")
    assert (status, lines[-1]) == (0, "removed"), lines
    assert requests.get(url, timeout=10).status_code == 404


def test_a_portal_deploys_corrects_and_removes_a_service(service, environment, tmp_path):
    assert len(PORTAL.read_text().splitlines()) < 40
    a_service_from_its_first_failure_to_its_removal(Portal(environment, tmp_path), service())


def test_a_repeated_order_starts_one_deployment_and_a_wrong_order_is_refused(
    service, environment, tmp_path
):
    portal, manifest = Portal(environment, tmp_path), service("plain-service").manifest
    missing = manifest | {"artifact": "datafactory/no/such.zip"}
    status, lines = portal("deploy", missing, "order-1")
    assert status == 1
    assert lines[-1].startswith("failed at download_artifact: ")
    assert portal("deploy", missing, "order-1")[1][-1] == lines[-1]

    status, lines = portal("deploy", missing | {"replicas": 1}, "order-1")
    refused = "refused: The Idempotency-Key was used for another request; use a new key."
    assert (status, lines) == (2, [refused])
    wrong = {"component": "e2e", "serviceName": "quoteService"}
    status, lines = portal("deploy", wrong, "order-2")
    assert status == 2
    assert "did you mean 'quote-service'?" in lines[-1]
    assert "version is missing" in lines[-1]
