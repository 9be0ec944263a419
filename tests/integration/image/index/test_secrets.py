"""The private index's password reaches the build and leaves no trace."""

from __future__ import annotations

import io
import json
import tarfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import docker
import pytest
from manifest_engine.hooks.builder import buildx_run
from manifest_engine.hooks.engine import client as engine_client

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integration.image.conftest import Service


class CommandLines(threading.Thread):
    """Polls the command lines of all processes of the machine."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.seen: set[bytes] = set()
        self.done = threading.Event()

    def run(self) -> None:
        while not self.done.is_set():
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    self.seen.add(path.read_bytes())
                except OSError:
                    continue
            time.sleep(0.005)


@pytest.fixture
def command_lines() -> Iterator[CommandLines]:
    watcher = CommandLines()
    watcher.start()
    yield watcher
    watcher.done.set()
    watcher.join()


@pytest.fixture
def passwords(sandbox: dict[str, str]) -> dict[str, bytes]:
    return {name: sandbox[name].encode() for name in ("INDEX_PASSWORD", "REGISTRY_PASSWORD")}


def test_the_password_is_in_no_layer_history_log_or_command_line(
    service: Service,
    docker_host: str,
    passwords: dict[str, bytes],
    command_lines: CommandLines,
) -> None:
    service.own_packages = True
    built, pushed = service.ship(service.zip(), utilsVersion="1.4.2")
    assert any("+ internal-utils==1.4.2" in line for line in service.log)
    client = docker.from_env(environment={"DOCKER_HOST": docker_host})
    planned = service.plan()
    everything = {
        "command lines": b"\n".join(command_lines.seen),
        "task log": "\n".join(service.log).encode(),
        "XCom": json.dumps([built, pushed]).encode(),
        "history": json.dumps(client.images.get(planned.image).history()).encode(),
    }
    for image in (planned.image, planned.cache_image):
        everything[f"content of {image}"] = b"".join(content_of(client, image))
    assert b"docker-buildx" in everything["command lines"], "the build was watched"
    assert b"internal_utils" in everything[f"content of {planned.image}"]
    found = [
        f"{name} in {place}"
        for name, password in passwords.items()
        for place, content in everything.items()
        if password in content
    ]
    assert found == []


def test_the_private_folder_is_gone_after_the_build(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    modes = []
    write = engine_client.write_private

    def spy(path: Path, text: str) -> None:
        write(path, text)
        modes.append((path, path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777))

    for module in (buildx_run, engine_client):
        monkeypatch.setattr(module, "write_private", spy)
    service.ship(service.zip())
    assert modes
    for path, mode, folder_mode in modes:
        assert (mode, folder_mode) == (0o600, 0o700)
        assert not path.parent.exists()


def content_of(client: docker.DockerClient, image: str) -> Iterator[bytes]:
    """Every byte of the image: configuration, manifest and the files in its layers."""
    saved = io.BytesIO(b"".join(client.images.get(image).save()))
    with tarfile.open(fileobj=saved) as outer:
        for member in outer:
            file: Any = outer.extractfile(member)
            if file is None:
                continue
            content = file.read()
            yield content
            if member.size < 50_000_000 and content[257:262] == b"ustar":
                with tarfile.open(fileobj=io.BytesIO(content)) as layer:
                    for inner in layer:
                        reader = layer.extractfile(inner) if inner.isfile() else None
                        yield inner.name.encode() + (reader.read() if reader else b"")
