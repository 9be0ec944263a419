"""The commands of pipelines against the real Airflow, also while its API server restarts."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
import requests

from sandbox.airflow.deploy import upload
from sandbox.core.settings import REPOSITORY


@pytest.fixture
def client(environment, tmp_path):
    """Runs ``python -m manifest_engine`` without Airflow in its path."""
    code = (
        "import runpy, sys; sys.modules.update(dict.fromkeys(['airflow', 'pydantic']))\n"
        "runpy.run_module('manifest_engine', run_name='__main__')"
    )

    def run(*words, manifest=None):
        done = subprocess.run(
            [sys.executable, "-c", code, *words],
            input=json.dumps(manifest),
            env={**os.environ, **environment, "PYTHONPATH": str(REPOSITORY / "plugins")},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert environment["AIRFLOW_PASSWORD"] not in done.stdout + done.stderr
        return done

    return run


def test_a_pipeline_deploys_restarts_and_removes(client, service):
    plain = service("plain-service")
    manifest, name = plain.manifest, plain.manifest["serviceName"]
    upload(plain.zip(), f"datafactory/e2e/{name}/1.0.0/{name}-1.0.0.zip")
    done = client("deploy", "-", manifest=manifest)
    assert done.returncode == 0, done.stderr
    url = done.stdout.strip()
    assert requests.get(url, timeout=10).json()["status"] == "ok"
    assert "smoke_test         succeeded in " in done.stderr

    done = client("status", "-", "--json", manifest=manifest)
    shown = json.loads(done.stdout.splitlines()[-1])
    assert (shown["state"], shown["url"], shown["exitStatus"]) == ("live", url, 0)
    assert client("restart", "-", manifest=manifest).stdout.strip() == url
    planned = client("deploy", "-", "--set", "version=1.0.0", manifest=manifest | {"dryRun": True})
    assert planned.returncode == 0
    assert f"Deployment {plain.object_name}: " in planned.stdout

    assert client("remove", "-", "--confirm", "other", manifest=manifest).returncode == 2
    removed = client("remove", "-", "--confirm", plain.object_name, manifest=manifest)
    assert removed.returncode == 0, removed.stderr
    assert requests.get(url, timeout=10).status_code == 404


def test_problems_and_missing_rights_have_their_exit_status(client, monkeypatch):
    done = client("deploy", "-", "--json", manifest={"component": "e2e", "prot": 1})
    assert done.returncode == 2
    problems = json.loads(done.stdout)["errors"]
    assert {"/prot", "/version", "/serviceName"} <= {item["pointer"] for item in problems}
    monkeypatch.setenv("AIRFLOW_TOKEN", "not.a.token")
    done = client("status", "api__none")  # the user and the password give another token
    assert (done.returncode, done.stderr) == (2, "There is no deployment with this id.\n")
