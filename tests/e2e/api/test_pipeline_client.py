"""The commands of pipelines against the real Airflow, also while its API server restarts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time

import pytest
import requests

from sandbox.airflow.airflow import Airflow
from sandbox.airflow.deploy import upload
from sandbox.core.settings import REPOSITORY, SETTINGS
from tests.e2e.api.test_api import Hub
from tests.e2e.conftest import remove

_SECONDS = 240


CLIENT = (
    sys.executable,
    "-c",
    "import runpy, sys; sys.modules.update(dict.fromkeys(['airflow', 'pydantic']))\n"
    "runpy.run_module('manifest_engine', run_name='__main__')",
)
"""``python -m manifest_engine`` without Airflow in its path."""


@pytest.fixture
def variables(environment):
    return {**os.environ, **environment, "PYTHONPATH": str(REPOSITORY / "plugins")}


@pytest.fixture
def client(environment, variables):
    """Runs the client to its end."""

    def run(*words, manifest=None):
        done = subprocess.run(
            [*CLIENT, *words],
            input=json.dumps(manifest),
            env=variables,
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


@pytest.mark.alone
def test_a_restart_of_the_api_server_is_waited_for(client, variables, service, cluster, tmp_path):
    plain = service("plain-service")
    plain.manifest["environment"] = "prod"  # waits for an approval as long as we like
    name = plain.manifest["serviceName"]
    upload(plain.zip(), f"datafactory/e2e/{name}/1.0.0/{name}-1.0.0.zip")
    manifest = tmp_path / "manifest.json"
    manifest.write_text(json.dumps(plain.manifest))
    shown = tmp_path / "stderr"
    with (
        shown.open("w") as stderr,
        subprocess.Popen(
            [*CLIENT, "deploy", manifest],
            env=variables,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        ) as running,
    ):
        try:
            says(shown, "The deployment waits for approval.", running)
            Airflow().restart()
            says(shown, "does not answer", running)
            status = client("status", "-", "--json", manifest=plain.manifest).stdout
            asked = json.loads(status.splitlines()[-1])
            assert asked["state"] == "waiting for approval"
            approved = Hub()("POST", f"deployments/{asked['id']}/approve")
            assert approved.status_code == 200, approved.text
            url = running.communicate(timeout=_SECONDS)[0].strip()
        finally:
            running.kill()
            remove(cluster, SETTINGS.approved_namespace, plain.object_name)
    text = shown.read_text()
    assert running.returncode == 0, text
    assert url.startswith("http"), url
    assert text.count("validate           succeeded") == 1
    assert "smoke_test         succeeded in " in text


def says(shown, sentence, running):
    """Wait until a command that runs has shown a sentence."""
    end = time.monotonic() + _SECONDS
    while sentence not in (text := shown.read_text()):
        assert running.poll() is None, text
        assert time.monotonic() < end, text
        time.sleep(0.3)
