"""Stand-ins started as the sandbox starts them, each on a free port and with its own state."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox.services.artifactory import artifactory
from sandbox.services.azure import entra

ROOT = Path(__file__).resolve().parents[3]


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@contextlib.contextmanager
def running(module: str, port: int, *words: str | Path) -> Iterator[None]:
    """A stand-in from its command line, until the end of the block."""
    argv = [sys.executable, "-m", f"sandbox.services.{module}", "--port", str(port), *words]
    process = subprocess.Popen([str(word) for word in argv], cwd=ROOT)
    try:
        _wait_for(port, process)
        yield
    finally:
        process.terminate()
        process.wait(10)


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 20
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            assert process.poll() is None, "the stand-in did not start"
            assert time.monotonic() < deadline, "the stand-in does not listen"
            time.sleep(0.05)


@pytest.fixture(scope="session")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate and its key for 127.0.0.1: ``tls.crt`` and ``tls.key``."""
    folder = tmp_path_factory.mktemp("tls")
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
            *("-nodes", "-days", "1", "-subj", "/CN=127.0.0.1"),
            *("-addext", "subjectAltName=IP:127.0.0.1"),
            *("-keyout", str(folder / "tls.key"), "-out", str(folder / "tls.crt")),
        ],
        check=True,
        capture_output=True,
    )
    return folder


@pytest.fixture(scope="session")
def identity() -> dict[str, Any]:
    """A tenant of our own, with the clients that the sandbox has."""
    return entra._make_identity()


@pytest.fixture(scope="session")
def accounts() -> dict[str, Any]:
    return artifactory._make_accounts()
