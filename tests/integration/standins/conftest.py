"""Starts stand-ins as the sandbox does, each on a free port and with its own state."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox.services.artifactory import artifactory
from sandbox.services.azure import entra
from tests.integration.servers import free_port, serving


@contextlib.contextmanager
def running(module: str, port: int, *words: str | Path) -> Iterator[None]:
    """Run a stand-in by its command line until the end of the block."""
    argv = [sys.executable, "-m", f"sandbox.services.{module}", "--port", str(port)]
    with serving([*argv, *map(str, words)], "127.0.0.1", port):
        yield


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
    """A new tenant, with the same applications as the sandbox's tenant."""
    return entra._make_identity()


@pytest.fixture(scope="session")
def accounts() -> dict[str, Any]:
    return artifactory._make_accounts()


@pytest.fixture(scope="module")
def artifactory_server(
    accounts: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, str]]:
    """URL of an Artifactory, and the token of the user ``deployer``."""
    folder = tmp_path_factory.mktemp("artifactory")
    (folder / "accounts.json").write_text(json.dumps(accounts))
    token = next(user["token"] for user in accounts["users"] if user["name"] == "deployer")
    port = free_port()
    words = ("--accounts", folder / "accounts.json", "--root", folder / "store")
    with running("artifactory.server", port, *words):
        yield f"http://127.0.0.1:{port}/artifactory", token
