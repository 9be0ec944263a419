"""No program that a worker starts gets the worker's secrets."""

from __future__ import annotations

import json
import os
import sysconfig
from collections.abc import Callable
from pathlib import Path

import pytest
from manifest_engine.hooks.builder import buildx, dockerfile_lint, sbom
from manifest_engine.hooks.builder.buildx_run import BuildInput, BuildxRun
from manifest_engine.services.image import base_lookup

SECRETS = {
    "AIRFLOW__CORE__FERNET_KEY": "hunter2",
    "AIRFLOW_CONN_ACR_DEFAULT": "acr://robot:hunter2@registry.example.com",
    "AZURE_CLIENT_SECRET": "hunter2",
    "DOCKER_AUTH_CONFIG": "hunter2",
}
KEPT = {
    "LANG": "C.UTF-8",
    "HTTP_PROXY": "http://proxy:3128",
    "https_proxy": "http://proxy:3128",
    "NO_PROXY": ".example.com",
}


def lint() -> None:
    dockerfile_lint.advice(b"FROM python:3.11\n")


def list_packages() -> None:
    login = buildx.Login("robot", "token")
    image = "registry.example.com/a@sha256:1"
    sbom.bill_of_materials(image, login, ca_file=None, deadline_seconds=20)


def look_up_a_base() -> None:
    base_lookup._elsewhere("registry.example.com/a:1", {})


def build() -> None:
    given = BuildInput(iter([b""]), logins={}, deadline_seconds=20, dockerfile="it", on_line=print)
    command = buildx.Build("a:1", "Dockerfile", secrets={"pip_conf": "[global]"})
    BuildxRun("builder", {"DOCKER_HOST": "unix:///nowhere"}).image_id(command, given)


@pytest.mark.parametrize(
    ("program", "start"),
    [
        ("hadolint", lint),
        ("syft", list_packages),
        ("docker-buildx", look_up_a_base),
        ("docker-buildx", build),
    ],
)
def test_a_program_gets_only_the_allowed_variables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str, start: Callable[[], None]
) -> None:
    found = tmp_path / "environment"
    fake = tmp_path / program
    answer = '{"digest": "sha256:1", "containerimage.digest": "sha256:1"}'
    fake.write_text(
        "#!/bin/sh\n"
        f"env -0 >{found}\n"
        'while [ $# -gt 0 ]; do [ "$1" = --metadata-file ] && file=$2; shift; done\n'
        f"echo '{answer}' | tee \"${{file:-/dev/null}}\"\n"
    )
    fake.chmod(0o755)
    monkeypatch.setattr(sysconfig, "get_path", lambda _: str(tmp_path))
    monkeypatch.setattr(buildx, "_PLUGIN_FOLDERS", (str(tmp_path),))
    monkeypatch.delenv("DOCKER_CONFIG", raising=False)
    for name, value in {**SECRETS, **KEPT}.items():
        monkeypatch.setenv(name, value)
    start()
    given = dict(item.split("=", 1) for item in found.read_text().split("\0") if item)
    assert "hunter2" not in json.dumps(given)
    assert not given.keys() & SECRETS.keys()
    assert given.keys() >= KEPT.keys() | {"PATH"}
    assert given["PATH"] == os.environ["PATH"]
