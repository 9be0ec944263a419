"""The step reads ``manifest.json`` in the announced ZIP, and skips older versions."""

from __future__ import annotations

import hashlib
import io
import zipfile
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from airflow.sdk.exceptions import AirflowSkipException
from manifest_engine.domain.core.errors import ArtifactError, ManifestError, NotAllowed
from manifest_engine.domain.environment import environments
from manifest_engine.hooks.artifactory.hook import ArtifactInfo, ArtifactoryHook
from manifest_engine.operators.artifact import read_announced
from manifest_engine.operators.artifact.read_announced import ReadAnnounced

PATH = "datafactory/pricing/quotes/1.9.0/quotes-1.9.0.zip"


def archive(manifest: bytes | None) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as made:
        made.writestr("service/src/app.py", "pass\n")
        if manifest is not None:
            made.writestr("service/manifest.json", manifest)
    return file.getvalue()


@pytest.fixture
def conf(monkeypatch: pytest.MonkeyPatch, tmp_path) -> Any:
    """Publish a ZIP, and return the conf of its announcement."""
    content = yaml.safe_load((environments.INCLUDE / "environments.yaml").read_text())
    block = {"connection": "jfrog", "paths": ["datafactory/pricing/*.zip"]}
    content["environments"]["dev"]["webhook"] = block
    (tmp_path / "environments.yaml").write_text(yaml.safe_dump(content))
    monkeypatch.setenv(environments.PATH_VARIABLE, str(tmp_path / "environments.yaml"))
    monkeypatch.setenv("MANIFEST_ENGINE_STORE", f"file://{tmp_path / 'store'}")
    monkeypatch.setattr(read_announced, "_live_version", lambda *_: "1.8.0")

    def publish(manifest: bytes | None, path: str = PATH) -> dict[str, str]:
        data = archive(manifest)
        checksum = hashlib.sha256(data).hexdigest()
        info = ArtifactInfo(len(data), checksum, f"https://jfrog.example.com/{path}")
        monkeypatch.setattr(ArtifactoryHook, "file_info", lambda *_: info)
        monkeypatch.setattr(ArtifactoryHook, "download", lambda *_: iter([data]))
        return {"environment": "dev", "artifact": path, "artifactSha256": checksum}

    return publish


def run(conf: dict[str, Any]) -> dict[str, Any]:
    context: Any = {"dag_run": SimpleNamespace(conf=conf)}
    return ReadAnnounced(task_id="read_manifest").run(context)


def test_the_manifest_is_found_below_the_wrapping_folder(conf):
    given = conf(b'{"port": 9000}')
    named = {"component": "pricing", "serviceName": "quotes", "version": "1.9.0"}
    assert run(given) == named | given | {"port": 9000}


def test_an_older_version_is_skipped(conf, monkeypatch):
    monkeypatch.setattr(read_announced, "_live_version", lambda *_: "1.10.0")
    with pytest.raises(AirflowSkipException, match=r"1\.10\.0 is live, and 1\.9\.0 is older"):
        run(conf(b"{}"))


def test_a_zip_without_a_manifest_is_refused(conf):
    with pytest.raises(ArtifactError, match=r"has no manifest\.json"):
        run(conf(None))


def test_a_huge_manifest_is_refused(conf):
    with pytest.raises(ArtifactError, match="at most 65536 are allowed"):
        run(conf(b'{"notes": "' + b"x" * 70_000 + b'"}'))


def test_a_zip_that_was_replaced_is_refused(conf):
    with pytest.raises(ArtifactError, match="the ZIP was replaced"):
        run(conf(b"{}") | {"artifactSha256": "ab" * 32})


def test_a_path_that_the_environment_does_not_accept_is_refused(conf):
    with pytest.raises(NotAllowed, match=r"may not deploy other/x/1/x-1\.zip"):
        run(conf(b"{}", "other/x/1/x-1.zip"))


def test_a_conf_that_is_not_an_announcement_is_refused(conf):
    with pytest.raises(ManifestError, match="must have environment, artifact and artifactSha256"):
        run({"environment": "dev"})
