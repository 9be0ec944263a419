"""The effect of variables of .env on ``docker compose config`` and real commands."""

from __future__ import annotations

import json
import os
import re
import subprocess

import pytest

from sandbox.core.settings import REPOSITORY, SETTINGS
from sandbox.engine import docker_cli
from sandbox.engine.base_image import IMAGE
from sandbox.engine.engine import Engine

AIRFLOW = {"init", "api-server", "scheduler", "dag-processor", "triggerer", "worker"}
BUILDERS = {"builder-1", "builder-2"}
PIN = REPOSITORY / "compose/pin-images.sh"


@pytest.fixture
def configured(tmp_path):
    """Returns the services of the compose file for these variables."""

    def configure(*files, **variables):
        env = tmp_path / "env"
        env.write_text("".join(f"{name}={value}\n" for name, value in variables.items()))
        words = ["compose", "--env-file", env, "--project-directory", REPOSITORY]
        for file in ("docker-compose.yaml", *files):
            words += ["--file", REPOSITORY / file]
        said = docker_cli.docker(*words, "config", "--format", "json", host=None, what="config")
        return json.loads(said)["services"]

    return configure


def test_builders_and_airflow_use_the_proxy_except_within_the_stack(configured):
    services = configured(HTTPS_PROXY="http://proxy:3128", NO_PROXY=".corp.example.com")
    for service in AIRFLOW | BUILDERS:
        found = services[service]["environment"]
        assert found["HTTPS_PROXY"] == "http://proxy:3128", service
        spared = found["NO_PROXY"].split(",")
        assert {"api-server", "azurite", "builder-1", "builder-2", ".corp.example.com"} <= {*spared}


def test_resolvers_and_domains_reach_builders_and_airflow(configured):
    services = configured(
        "compose/dns-search.yaml", DNS_1="10.0.0.53", DNS_SEARCH="corp.example.com"
    )
    for service in AIRFLOW | BUILDERS:
        assert services[service]["dns"] == ["10.0.0.53"], service
        assert services[service]["dns_search"] == ["corp.example.com"], service


def test_without_settings_the_hosts_resolvers_are_used(configured):
    assert [name for name, found in configured().items() if "dns" in found] == []


def test_images_can_have_a_digest(configured):
    pinned = "docker:29.9.0-dind@sha256:" + 64 * "0"
    services = configured(DOCKER_IMAGE=pinned)
    assert services["builder-1"]["image"] == pinned
    assert services["init"]["build"]["args"]["DOCKER_IMAGE"] == pinned


def test_pinning_writes_the_digest_that_a_tag_has(environment, tmp_path):
    names = ("AIRFLOW", "POSTGRES", "REDIS", "AZURITE", "DOCKER")
    image = f"{SETTINGS.registry}/pinned/image:1"
    log_in = (environment["REGISTRY"], environment["REGISTRY_USER"])
    docker_cli.log_in(*log_in, environment["REGISTRY_PASSWORD"])
    file = tmp_path / "env"
    file.write_text("# kept\n" + "".join(f"{name}_IMAGE={image}\n" for name in names))
    first = push(image, "one")
    assert pin(file) == {f"{name}_IMAGE": f"{image}@{first}" for name in names}
    assert file.read_text().startswith("# kept\n")
    second = push(image, "two")
    assert second != first
    assert pin(file) == {f"{name}_IMAGE": f"{image}@{second}" for name in names}


def push(image, text):
    """Push an image with this text in a label; returns the digest."""
    dockerfile = f"FROM {IMAGE}\nLABEL text={text}\n"
    done = subprocess.run(
        [
            docker_cli.find(),
            "buildx",
            "build",
            "--quiet",
            "--provenance=false",
            "--tag",
            image,
            "-",
        ],
        input=dockerfile,
        env=docker_environment(),
        text=True,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    said = docker_cli.docker("push", image, host=Engine().host, what="pushing")
    return re.search(r"digest: (sha256:\w+)", said)[1]


def pin(file):
    """Pin the images of the file; returns its variables."""
    done = subprocess.run(
        [PIN, file], env=docker_environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    lines = [line for line in file.read_text().splitlines() if not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


def docker_environment():
    """Variables for the sandbox's docker client and engine, with all certificate authorities."""
    folders = f"{docker_cli.BIN}:{os.environ['PATH']}"
    found = {**docker_cli.environment(), "PATH": folders, "SSL_CERT_FILE": str(SETTINGS.ca_bundle)}
    return found | ({"DOCKER_HOST": Engine().host} if Engine().host else {})
