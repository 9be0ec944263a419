"""``python -m sandbox deploy`` runs the package's client, and keeps its own JSON."""

from __future__ import annotations

import json

import pytest

from sandbox.airflow import deploy
from sandbox.airflow.airflow import Airflow
from tests.unit.client.api_server import PASSWORD, Api, failing

MANIFEST = {"component": "a", "serviceName": "b", "version": "1.0.0", "environment": "dev"}
URL = "https://apps.example.com/datafactory/a/b"


@pytest.fixture
def command(tmp_path, monkeypatch, capfd):
    """Runs the command; its exit status, standard output and standard error."""
    api, uploads = Api(), []
    login = {"AIRFLOW_URL": api.url, "AIRFLOW_USER": "ada", "AIRFLOW_PASSWORD": PASSWORD}
    monkeypatch.setattr(Airflow, "exports", lambda self: login)
    monkeypatch.setattr(deploy, "upload", lambda archive, path: uploads.append(path))
    (tmp_path / "service").mkdir()

    def run(manifest, *, as_json, moments=None):
        api.moments = moments or api.moments
        file = tmp_path / "manifest.json"
        file.write_text(json.dumps(manifest))
        status = deploy.main(tmp_path / "service", file, as_json=as_json)
        assert uploads[-1] == "datafactory/a/b/1.0.0/b-1.0.0.zip"
        return status, *capfd.readouterr()

    yield run
    api.close()


def test_the_url_is_the_output_and_the_steps_are_shown(command):
    status, out, err = command(MANIFEST, as_json=False)
    assert (status, out) == (0, f"{URL}\n")
    assert "build_image        succeeded in 1.5 s\n" in err


def test_json_has_the_outcome(command):
    status, out, _ = command(MANIFEST, as_json=True)
    found = json.loads(out)
    assert (status, found["state"], found["url"]) == (0, "success", URL)
    assert found["digest"] == "sha256:abc"
    assert found["steps"]["validate"] == {"state": "success", "seconds": 1.5, "tries": 1}
    assert found["run_id"].startswith("api__")
    assert (found["failed_step"], found["error"]) == (None, None)


def test_json_has_the_reason(command):
    status, out, _ = command(MANIFEST, as_json=True, moments=failing)
    found = json.loads(out)
    assert (status, found["state"], found["failed_step"]) == (1, "failed", "build_image")
    assert found["error"].startswith("pip found no version")
    status, out, _ = command(MANIFEST | {"prot": 1}, as_json=True)
    found = json.loads(out)
    assert (status, found["state"], found["failed_step"]) == (2, "failed", "validate")
    assert "did you mean 'port'?" in found["error"]
