"""Step ``download_artifact`` with a real socket and a real folder."""

import hashlib
import json
from datetime import UTC, datetime

import pytest
from manifest_engine.domain.core.errors import ArtifactError, StateError
from manifest_engine.domain.environment import environments
from manifest_engine.domain.manifest import manifest
from manifest_engine.domain.release import release
from manifest_engine.hooks.storage.artifact_store import ArtifactStore
from manifest_engine.operators.artifact.download_artifact import DownloadArtifact

from tests.unit.domain.artifact.zip_bytes import Part, make_zip
from tests.unit.hooks.artifactory.artifactory_double import PATH, TOKEN, artifactory

ZIP = make_zip(Part("app.py", b"print('here')\n"), Part("requirements.txt", b"flask\n"))
SHA256 = hashlib.sha256(ZIP).hexdigest()


class Context(dict):
    """The part of Airflow's context that the step uses: XCom."""

    def __init__(self):
        super().__init__(ti=self)
        self.pushed = {}

    def xcom_push(self, key, value):
        self.pushed[key] = value


@pytest.fixture
def serve(monkeypatch, tmp_path):
    """Serves the content as the artifact inside a ``with`` block."""
    monkeypatch.setenv("MANIFEST_ENGINE_STORE", f"file://{tmp_path}/store")

    def start(content=ZIP):
        server = artifactory(content)
        double = server.__enter__()
        running.append(server)
        given = {"conn_type": "artifactory", "host": double.url, "password": TOKEN}
        monkeypatch.setenv("AIRFLOW_CONN_ARTIFACTORY_DEFAULT", json.dumps(given))
        return double

    running = []
    yield start
    for server in running:
        server.__exit__(None, None, None)


def planned(**changes) -> dict:
    asked = {"component": "pricing", "serviceName": "quote-service", "version": "1.4.0"}
    made = release.plan(
        manifest.parse(asked | {"environment": "dev"} | changes),
        environments.load(environments.INCLUDE / "environments.yaml")["dev"],
        login_server="registry.example.com",
        run_id="manual__1",
        requested_at=datetime(2026, 1, 1, tzinfo=UTC),
        requested_by="somebody",
    )
    return made.dump()


def step(context=None, **changes):
    operator = DownloadArtifact(task_id="download_artifact", release=planned(**changes))
    return operator.execute(context or Context())


def test_the_artifact_is_stored(serve):
    server = serve()

    assert step() == {
        "sha256": SHA256,
        "size": len(ZIP),
        "uri": f"{server.url}/{PATH}",
        "path": ArtifactStore().url(SHA256),
        "reused": False,
    }
    with ArtifactStore().open(SHA256) as file:
        assert file.read() == ZIP


def test_the_release_is_a_template_field():
    assert DownloadArtifact.template_fields == ("release",)


def test_a_stored_artifact_is_not_downloaded_again(serve):
    server = serve()
    first, second = step(), step()

    assert second == first | {"reused": True}
    assert len(server.downloads) == 1


def test_an_incomplete_stored_artifact_is_downloaded_again(serve, tmp_path):
    server = serve()
    step()
    (tmp_path / "store" / "sha256" / f"{SHA256}.zip").write_bytes(ZIP[:10])

    assert not step()["reused"]
    assert len(server.downloads) == 2


def rebuild(sha256=SHA256):
    return {"releaseHash": "h", "digest": f"sha256:{'d' * 64}", "artifactSha256": sha256}


def test_a_rebuild_uses_the_stored_artifact_without_asking_artifactory(serve):
    server = serve()
    step()
    server.requests.clear()

    assert step(rebuild=rebuild()) == {
        "sha256": SHA256,
        "size": len(ZIP),
        "uri": "datafactory/pricing/quote-service/1.4.0/quote-service-1.4.0.zip",
        "path": ArtifactStore().url(SHA256),
        "reused": True,
    }
    assert server.requests == []


def test_a_rebuild_without_a_stored_artifact_downloads_the_artifact(serve):
    server = serve()

    assert step(rebuild=rebuild())["reused"] is False
    assert len(server.downloads) == 1


def test_a_rebuild_of_other_bytes_than_the_live_ones_is_refused(serve):
    server = serve()
    with pytest.raises(ArtifactError, match="cannot be rebuilt") as caught:
        step(rebuild=rebuild("0" * 64))

    assert SHA256 in str(caught.value)
    assert not caught.value.retryable
    assert server.downloads == []


def test_the_checksum_is_checked_before_the_download(serve):
    server, context = serve(), Context()
    with pytest.raises(ArtifactError) as caught:
        step(context, artifactSha256="0" * 64)

    assert SHA256 in str(caught.value)
    assert "0" * 64 in str(caught.value)
    assert not caught.value.retryable
    assert context.pushed["error"] == str(caught.value)
    assert context.pushed["cause"] == "ArtifactError"
    assert server.downloads == []


def test_a_matching_checksum_is_accepted(serve):
    serve()

    assert step(artifactSha256=SHA256)["sha256"] == SHA256


def test_the_artifact_path_of_the_manifest_is_used(serve):
    server = serve()
    with pytest.raises(ArtifactError, match=r"elsewhere/else\.zip does not exist"):
        step(artifact="elsewhere/else.zip")

    assert server.requests[0][0] == "/artifactory/api/storage/elsewhere/else.zip"


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"<html>Sign in</html>", "not a readable ZIP"),
        (make_zip(Part("../app.py", b"x")), "leads out of the ZIP's root"),
        (make_zip(Part("Scripts/Dockerfile", b"FROM x")), "rename it to scripts/Dockerfile"),
    ],
)
def test_an_unsafe_zip_is_refused(serve, content, why):
    serve(content)
    with pytest.raises(ArtifactError, match=why) as caught:
        step()

    assert not caught.value.retryable


def test_a_rebuild_accepts_a_misplaced_dockerfile(serve):
    content = make_zip(Part("Dockerfile", b"FROM x"), Part("app.py", b"x"))
    serve(content)

    assert step(rebuild=rebuild(hashlib.sha256(content).hexdigest()))["reused"] is False


def test_a_guessed_name_is_logged(serve, capsys):
    serve(make_zip(Part("größe.txt".encode(), b"x", utf8=False)))
    step()

    assert "'größe.txt' has no declared encoding and was read as UTF-8" in capsys.readouterr().out


def test_bytes_with_another_checksum_than_file_info_are_not_kept(serve, tmp_path):
    server = serve()
    server.times(1, lambda handler: handler.answer(200, ZIP[:-1] + b"x", {}))
    with pytest.raises(ArtifactError) as caught:
        step()

    assert caught.value.retryable
    assert list((tmp_path / "store" / "sha256").iterdir()) == []


def test_the_log_has_size_time_and_content(serve, capsys):
    serve()
    step()
    step()

    log = capsys.readouterr().out
    assert "Downloading http" in log
    assert "sha256 " + SHA256 in log
    assert "The ZIP has 2 files, 0.0 kB unpacked" in log
    assert "in the artifact store already" in log
    assert TOKEN not in log


def test_without_a_release_the_step_says_what_to_clear():
    with pytest.raises(StateError, match="clear validate"):
        DownloadArtifact(task_id="download_artifact", release=None).execute(Context())
