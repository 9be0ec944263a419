"""Public clients of Azure against the sandbox's stand-ins.

``make test-clients`` runs these tests. The first run installs the clients (docs/sandbox.md).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox.core import pki, stack
from sandbox.core.settings import SETTINGS
from sandbox.parts import enabled_parts
from sandbox.services.azure import arm, entra
from tests.clients import tools
from tests.integration.servers import free_port, serving

REGISTRY = "sandboxacr"
"""Name in Azure of the sandbox's registry behind the front, which has the referrers API."""
REPOSITORY = f"datafactory/clients/service-{uuid.uuid4().hex[:8]}"

Run = Callable[..., str]


@pytest.fixture(scope="session", autouse=True)
def sandbox() -> dict[str, str]:
    """The sandbox's variables. Fails unless the parts of these tests answer."""
    parts = [part for part in enabled_parts() if part.name in ("registry", "entra")]
    if down := {part.name: problem for part in parts if (problem := part.ready())}:
        pytest.fail(f"The sandbox is not up, run `make up`: {down}", pytrace=False)
    found = stack.exports(enabled_parts())
    os.environ.update(found)
    return found


def _serve(module: str, port: int, *words: str | Path) -> Any:
    pair = pki.issue("clients", common_name="127.0.0.1", addresses=["127.0.0.1"])
    argv = [sys.executable, "-m", f"sandbox.services.{module}", "--port", str(port)]
    argv += ["--certificate", str(pair.certificate), "--key", str(pair.key)]
    return serving([*argv, *map(str, words)], "127.0.0.1", port)


@pytest.fixture(scope="session")
def front(sandbox: dict[str, str]) -> Iterator[str]:
    """The login server of the registry behind the front, with a token service of this checkout."""
    port, tokens = free_port(), free_port()
    config = SETTINGS.state / "registry/tokens.json"
    upstreams = ("--registry", f"https://{SETTINGS.registry}", "--ca", SETTINGS.ca)
    with (
        _serve("registry.token_server", tokens, "--config", config),
        _serve("registry.front", port, *upstreams, "--tokens", f"https://127.0.0.1:{tokens}"),
    ):
        yield f"127.0.0.1:{port}"


@pytest.fixture(scope="session")
def resource_manager(front: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """ARM with the sandbox's clusters and the registry; the deployer may read all."""
    known = arm.resources()
    where = {"subscription": arm.subscription(), "group": arm.GROUP}
    known["registries"] = [{**where, "name": REGISTRY, "login_server": front}]
    deployer = known["assignments"][0]
    known["assignments"].append({**deployer, "role": "Reader"})
    config = tmp_path_factory.mktemp("arm") / "config.json"
    config.write_text(json.dumps(known))
    port = free_port()
    with _serve("azure.arm_server", port, "--config", config):
        yield f"https://127.0.0.1:{port}"


def _runner(program: Path, variables: dict[str, str]) -> Run:
    def run(*words: str | Path, given: str | None = None, fails: bool = False) -> str:
        done = subprocess.run(
            [str(word) for word in (program, *words)],
            input=given,
            env={**os.environ, **variables},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert (done.returncode != 0) == fails, f"{program.name} {words[:3]}: {done.stderr}"
        return done.stderr if fails else done.stdout

    return run


@pytest.fixture(scope="session")
def logged_out_az(resource_manager: str, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """``az`` in the sandbox's cloud."""
    run = _runner(
        tools.az(),
        {
            "AZURE_CONFIG_DIR": str(tmp_path_factory.mktemp("azure")),
            "AZURE_CORE_COLLECT_TELEMETRY": "no",
            "AZURE_CORE_ONLY_SHOW_ERRORS": "yes",
            "AZURE_CORE_INSTANCE_DISCOVERY": "false",
            "REQUESTS_CA_BUNDLE": str(SETTINGS.ca),
        },
    )
    authority = entra.authority()
    run(
        *("cloud", "register", "--name", "Sandbox", "--skip-endpoint-discovery"),
        *("--endpoint-active-directory", authority),
        *("--endpoint-active-directory-graph-resource-id", authority),
        *("--endpoint-active-directory-resource-id", "https://management.azure.com"),
        *("--endpoint-resource-manager", resource_manager),
        *("--suffix-acr-login-server-endpoint", ".azurecr.io"),
    )
    run("cloud", "set", "--name", "Sandbox")
    return run


@pytest.fixture(scope="session")
def az(logged_out_az: Run) -> Run:
    """``az`` as the deployer."""
    client = entra.identity()["clients"][0]
    logged_out_az(
        *("login", "--service-principal", "--tenant", entra.identity()["tenant"]),
        *("--username", client["client_id"], "--password", client["secret"]),
    )
    return logged_out_az


@pytest.fixture(scope="session")
def registry_variables(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Environment variables for ``oras`` and ``crane``: the CA, and a folder for the logins."""
    folder = str(tmp_path_factory.mktemp("docker"))
    return {"DOCKER_CONFIG": folder, "SSL_CERT_FILE": str(SETTINGS.ca), "HOME": folder}


@pytest.fixture(scope="session")
def refresh_token(az: Run) -> str:
    """ACR's refresh token of the deployer, as ``az acr login --expose-token`` gives it."""
    return str(json.loads(az("acr", "login", "-n", REGISTRY, "--expose-token"))["refreshToken"])


@pytest.fixture(scope="session")
def oras(registry_variables: dict[str, str], refresh_token: str, front: str) -> Run:
    """``oras``, logged in to both registries with the deployer's token."""
    run = _runner(tools.go_tool("oras"), registry_variables)
    for server in (SETTINGS.registry, front):
        user = ("--username", "00000000-0000-0000-0000-000000000000", "--password-stdin")
        run("login", *user, server, given=refresh_token)
    return run


@pytest.fixture(scope="session")
def crane(registry_variables: dict[str, str], oras: Run) -> Run:
    """``crane`` with the logins of ``oras``."""
    return _runner(tools.go_tool("crane"), registry_variables)


@pytest.fixture(scope="session")
def digest(crane: Run, front: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """An image that ``crane`` has pushed as ``REPOSITORY:1``.

    Through the front: ``crane`` refuses a token service at a private address, unless it is at the
    registry's own host and port, as it is at ACR.
    """
    folder = tmp_path_factory.mktemp("layer")
    (folder / "file").write_text("content\n")
    subprocess.run(["tar", "-czf", "layer.tar.gz", "file"], cwd=folder, check=True)
    image = f"{front}/{REPOSITORY}:1"
    crane("append", "--new_layer", folder / "layer.tar.gz", "--new_tag", image)
    return crane("digest", image).strip()
