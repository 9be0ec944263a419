"""Entra ID as a test needs it: other doors to the sandbox's tenant, and another tenant."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sandbox.core import credentials, pki
from sandbox.core.settings import REPOSITORY, SETTINGS
from sandbox.services.azure import entra


@dataclass(frozen=True)
class Directory:
    """A running stand-in for Entra ID."""

    authority: str
    known: dict[str, Any]


@contextlib.contextmanager
def directory(known: dict[str, Any]) -> Iterator[Directory]:
    """Another door to a tenant: same keys and applications, another lifetime of tokens."""
    host, port = SETTINGS.pod_gateway, _free_port(SETTINGS.pod_gateway)
    pair = pki.issue("entra", common_name=host, addresses=[host])
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(known, file)
        file.flush()
        words = [
            sys.executable,
            "-m",
            "sandbox.services.azure.entra_server",
            "--identity",
            file.name,
        ]
        words += ["--host", host, "--port", str(port)]
        words += ["--certificate", str(pair.certificate), "--key", str(pair.key)]
        process = subprocess.Popen(words, cwd=REPOSITORY, stderr=subprocess.DEVNULL)
        try:
            _wait(host, port, process)
            yield Directory(f"https://{host}:{port}", known)
        finally:
            process.terminate()
            process.wait(10)


def of_the_sandbox(**changes: Any) -> contextlib.AbstractContextManager[Directory]:
    return directory({**entra.identity(), **changes})


def foreign_tenant() -> contextlib.AbstractContextManager[Directory]:
    return directory(entra._make_identity())


def _free_port(host: str) -> int:
    with socket.socket() as listener:
        listener.bind((host, 0))
        return int(listener.getsockname()[1])


def _wait(host: str, port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 20
    while True:
        try:
            socket.create_connection((host, port), 1).close()
            return
        except OSError:
            assert process.poll() is None, "the stand-in did not start"
            assert time.monotonic() < deadline, "the stand-in does not listen"
            time.sleep(0.05)


@contextlib.contextmanager
def metadata_service(*, system: str, user: str) -> Iterator[str]:
    """IMDS of a machine with these identities (client ids); its address."""
    host, port = "127.0.0.1", _free_port("127.0.0.1")
    words = [sys.executable, "-m", "sandbox.services.azure.imds_server"]
    words += ["--identity", str(credentials.path("entra")), "--port", str(port)]
    process = subprocess.Popen(
        [*words, "--system", system, "--user", user], cwd=REPOSITORY, stderr=subprocess.DEVNULL
    )
    try:
        _wait(host, port, process)
        yield f"http://{host}:{port}"
    finally:
        process.terminate()
        process.wait(10)
