"""A private registry of another team: the distribution registry, with users and passwords."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.engine import docker_cli

USER, PASSWORD = "ada", "hunter2"
_HTPASSWD = f"{USER}:$2b$04$vjmmS0Y44x9o/ehw4fSaGO7TIs9f94ZA4aFQgW.eKAeSSaUBqN5m.\n"
"""bcrypt, the only hash that the registry takes (distribution.github.io, htpasswd)."""
_SECONDS = 10


class Private:
    """The registry on a port of this machine; engines speak plain HTTP with 127.0.0.0/8."""

    def __init__(self, host: str, config: Path) -> None:
        self.host = host
        self._env = {
            **os.environ,
            "DOCKER_CONFIG": str(config),
            "PATH": f"{docker_cli.BIN}:{os.environ['PATH']}",
        }

    def push(self, image: str, name: str) -> str:
        """Push an image of the engine under another name, and remove the name from the engine."""
        reference = f"{self.host}/{name}"
        words = ("login", "-u", USER, "--password-stdin", self.host)
        self._docker(*words, stdin=PASSWORD)
        self._docker("tag", image, reference)
        self._docker("push", "-q", reference)
        self._docker("rmi", reference)
        return reference

    def _docker(self, *words: str, stdin: str = "") -> None:
        subprocess.run(
            ["docker", *words], env=self._env, input=stdin.encode(), check=True, capture_output=True
        )


@pytest.fixture(scope="session")
def private(docker_host: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Private]:
    at = tmp_path_factory.mktemp("private-registry")
    with socket.create_server(("127.0.0.1", 0)) as free:
        host = f"127.0.0.1:{free.getsockname()[1]}"
    (at / "htpasswd").write_text(_HTPASSWD)
    (at / "config.yml").write_text(
        "version: 0.1\nlog: {accesslog: {disabled: true}}\n"
        f"storage: {{filesystem: {{rootdirectory: {at}/storage}}}}\n"
        f"http: {{addr: {host}}}\nauth: {{htpasswd: {{realm: team, path: {at}/htpasswd}}}}\n"
    )
    served = subprocess.Popen(
        ["docker-registry", "serve", str(at / "config.yml")],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait(host)
        yield Private(host, at)
    finally:
        served.terminate()
        served.wait()


def _wait(host: str) -> None:
    address, _, port = host.partition(":")
    end = time.monotonic() + _SECONDS
    while True:
        try:
            socket.create_connection((address, int(port)), 1).close()
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)
        else:
            return
