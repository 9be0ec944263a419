"""The portal's client, run as a portal would: by its command line, with its own order's id."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import requests

from sandbox.airflow.deploy import upload
from tests.e2e.conftest import EXAMPLES, SESSION
from tests.e2e.deploy.test_deploy_service import STEPS

ENDED = {f"{step:<18} success" for step in STEPS[: STEPS.index("publish_route") + 1]}
"""The client ends when the URL answers. The steps after it only record."""


def order(environment, tmp_path, manifest, order_id):
    """Exit status and lines of one call."""
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


def test_an_order_is_deployed_once_and_followed_to_the_url_or_the_reason(
    service, environment, tmp_path, api
):
    plain = service("plain-service")
    manifest, name = plain.manifest, plain.manifest["serviceName"]
    upload(plain.zip(), f"datafactory/e2e/{name}/1.0.0/{name}-1.0.0.zip")
    status, lines = order(environment, tmp_path, manifest, f"order-1-{SESSION}")
    assert status == 0, lines
    assert set(lines) >= ENDED
    assert requests.get(lines[-1], timeout=10).json()["status"] == "ok"

    # The same order again: the same run, told to the same end, and no second one.
    runs = f"dags/deploy_service/dagRuns/order-1-{SESSION}"
    before = api.get(runs)
    status, again = order(environment, tmp_path, manifest, f"order-1-{SESSION}")
    assert (status, again[-1]) == (0, lines[-1])
    assert set(again[:-1]) >= ENDED | {f"{'approve':<18} skipped"}
    assert api.get(runs)["start_date"] == before["start_date"]

    status, lines = order(environment, tmp_path, manifest | {"replicas": 1}, f"order-1-{SESSION}")
    assert (status, lines[-1]) == (
        2,
        f"refused: the id order-1-{SESSION} was used before, for another manifest",
    )

    status, lines = order(environment, tmp_path, {"component": "e2e"}, f"order-2-{SESSION}")
    assert status == 2
    assert lines[-1].startswith("refused (HTTP 400): ")
    assert "serviceName" in lines[-1]

    wrong = manifest | {"serviceName": "quoteService"}
    status, lines = order(environment, tmp_path, wrong, f"order-3-{SESSION}")
    assert status == 1
    assert lines[-1].startswith("failed at validate: ")
    assert "did you mean 'quote-service'?" in lines[-1]
