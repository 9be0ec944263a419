"""The Dockerfile frontend of BuildKit from a mirror, as ``# syntax=`` names it."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from manifest_engine.hooks.registry.acr import AcrHook
from manifest_engine.services.image.base_lookup import BaseLookup

from sandbox.engine import docker_cli
from tests.clients import tools
from tests.integration.image.choices.conftest import Private, private
from tests.integration.image.choices.test_registries import rules, team_images
from tests.integration.image.conftest import connections, docker_host, service

if TYPE_CHECKING:
    from tests.integration.image.conftest import Service

__all__ = ["connections", "docker_host", "private", "service", "team_images"]
FRONTEND = """FROM scratch
COPY dockerfile-frontend /
LABEL moby.buildkit.frontend.network.none="true" version="{version}"
ENTRYPOINT ["/dockerfile-frontend"]
"""


def push_frontend(private: Private, engine: str, folder: Path, version: str) -> None:
    folder.mkdir()
    shutil.copy(tools.go_tool("dockerfile-frontend"), folder)
    (folder / "Dockerfile").write_text(FRONTEND.format(version=version))
    search = f"{docker_cli.BIN}:{os.environ['PATH']}"
    subprocess.run(
        ["docker", "build", "-q", "-t", "frontend:1", folder],
        env={**os.environ, "DOCKER_HOST": engine, "PATH": search},
        check=True,
    )
    private.push("frontend:1", "hub/docker/dockerfile:1")


@pytest.mark.usefixtures("team_images")
def test_a_mirrored_frontend_reads_the_dockerfile_and_a_newer_one_is_noticed(
    service: Service, private: Private, docker_host: str, tmp_path: Path
) -> None:
    push_frontend(private, docker_host, tmp_path / "first", "1")
    text = '# syntax=docker/dockerfile:1\nFROM python:3.11\nCOPY . /code\nCMD ["x"]\n'
    mirror = rules(
        private, syntaxMirror=f"{private.host}/hub", allowedBases=["docker.io/library/python"]
    )
    built = service.build(service.zip(**{"scripts/Dockerfile": text}), environment=mirror)

    frontend = f"{private.host}/hub/docker/dockerfile:1"
    used = built["builtFrom"]["bases"][frontend]
    assert any(f"docker-image://{frontend}@{used}" in line for line in service.log)

    def current() -> str | None:
        return BaseLookup(AcrHook(), ["docker_default"], mirror["build"]).current(frontend).pin

    assert current() == used
    push_frontend(private, docker_host, tmp_path / "second", "2")
    assert current() not in (None, used)
