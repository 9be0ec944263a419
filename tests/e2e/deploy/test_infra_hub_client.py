"""The portal's client, run by its command line with an order id."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import requests

from sandbox.airflow.deploy import upload
from tests.e2e.conftest import EXAMPLES, SESSION


def order(environment, tmp_path, manifest, order_id):
    """Runs the client; returns exit status and lines of output."""
    file = tmp_path / "manifest.json"
    file.write_text(json.dumps(manifest))
    done = subprocess.run(
        [sys.executable, EXAMPLES / "infra_hub_client.py", file, order_id],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert not done.stderr
    return done.returncode, done.stdout.splitlines()


def test_an_order_is_deployed_once_and_followed_to_the_url_or_the_error(
    service, environment, tmp_path
):
    plain = service("plain-service")
    manifest, name = plain.manifest, plain.manifest["serviceName"]
    upload(plain.zip(), f"datafactory/e2e/{name}/1.0.0/{name}-1.0.0.zip")
    status, lines = order(environment, tmp_path, manifest, f"order-1-{SESSION}")
    assert status == 0, lines
    assert f"{'publish_route':<18} succeeded" in lines
    assert requests.get(lines[-1], timeout=10).json()["status"] == "ok"

    # The same order again follows the same deployment.
    status, again = order(environment, tmp_path, manifest, f"order-1-{SESSION}")
    assert (status, again[-1]) == (0, lines[-1])

    status, lines = order(environment, tmp_path, manifest | {"replicas": 1}, f"order-1-{SESSION}")
    refused = "refused: The Idempotency-Key was used before, for another manifest."
    assert (status, lines) == (2, [refused])

    wrong = {"component": "e2e", "serviceName": "quoteService"}
    status, lines = order(environment, tmp_path, wrong, f"order-2-{SESSION}")
    assert status == 2
    assert "did you mean 'quote-service'?" in lines[-1]
    assert "version is missing" in lines[-1]

    missing = manifest | {"artifact": "datafactory/no/such.zip"}
    status, lines = order(environment, tmp_path, missing, f"order-3-{SESSION}")
    assert status == 1
    assert lines[-1].startswith("failed at download_artifact: ")
