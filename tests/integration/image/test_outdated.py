"""Workers and engines that lack a requirement of builds: the error says what to install."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest
from manifest_engine.domain.core.errors import BuildError, ConfigurationError
from manifest_engine.hooks.builder import buildx

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.image.conftest import Service

OLD_PLUGIN = """#!/bin/sh
cat > /dev/null
echo "unknown flag: --metadata-file" >&2
echo "See 'docker buildx build --help'." >&2
exit 125
"""
"""buildx's message for an unknown flag; 0.6 added ``--metadata-file``."""


@contextmanager
def engine(api: str, minimum: str, version: str) -> Iterator[str]:
    """An engine of another version. Like dockerd it refuses newer API versions."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            first = self.path.split("/")[1]
            asked = first.removeprefix("v") if first.startswith("v1.") else api
            if tuple(map(int, asked.split("."))) > tuple(map(int, api.split("."))):
                said = f"client version {asked} is too new. Maximum supported API version is {api}"
                return self._say(400, json.dumps({"message": said}))
            known: dict[str, Any] = {"Version": version, "ApiVersion": api}
            if self.path.endswith("/version"):
                return self._say(200, json.dumps({**known, "MinAPIVersion": minimum}))
            return self._say(200, "OK")

        def _say(self, status: int, body: str) -> None:
            self.send_response(status)
            self.send_header("Api-Version", api)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: Any) -> None:
            """Log nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield f"tcp://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.mark.parametrize(
    ("api", "version", "said"),
    [
        ("1.41", "20.10.24", "its API is 1.41"),
        ("1.22", "1.10.3", "API versions below 1.24 are no longer supported"),
    ],
)
def test_the_error_for_an_old_engine_names_the_version_to_install(
    service: Service, connections: Callable[..., None], api: str, version: str, said: str
) -> None:
    with engine(api, "1.12", version) as host:
        connections("old", conn_type="docker", host=host)
        with pytest.raises(BuildError) as caught:
            service.build(service.zip(), builder="old")
    assert f"The builder 'old' at {host} is too old: {said}" in str(caught.value)
    assert "install Docker Engine 23 or newer there" in str(caught.value)
    assert not caught.value.retryable


def test_the_error_for_missing_buildx_names_the_package(
    service: Service, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(buildx, "_PLUGIN_FOLDERS", (str(tmp_path),))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigurationError, match="install Docker's docker-buildx-plugin"):
        service.build(service.zip())


def test_the_error_for_an_old_buildx_names_the_version_to_install(
    service: Service, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    plugin = tmp_path / "cli-plugins/docker-buildx"
    plugin.parent.mkdir()
    plugin.write_text(OLD_PLUGIN)
    plugin.chmod(0o755)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    with pytest.raises(BuildError, match=r"know --metadata-file: install docker-buildx 0\.13"):
        service.build(service.zip())
