"""docker-compose.yaml agrees with .env.example and the Dockerfile."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

REPOSITORY = Path(__file__).resolve().parents[3]
TEXT = (REPOSITORY / "docker-compose.yaml").read_text()
STACK = yaml.safe_load(TEXT)


def test_env_example_lists_every_variable_with_its_default():
    defaults = dict(re.findall(r"(?<!\$)\$\{(\w+):?-([^{}]*)\}", TEXT))
    example = (REPOSITORY / ".env.example").read_text()
    named = dict(re.findall(r"^#(\w+)=(.*)$", example, re.MULTILINE))
    assert {name: value for name, value in defaults.items() if value} == {
        name: named.get(name) for name, value in defaults.items() if value
    }
    assert set(defaults) <= set(named)


def test_dockerfile_and_docker_compose_use_the_same_images():
    dockerfile = dict(
        re.findall(r"^ARG (\w+)=(\S+)$", (REPOSITORY / "Dockerfile").read_text(), re.M)
    )
    arguments = STACK["services"]["init"]["build"]["args"]
    assert {name: f"${{{name}:-{image}}}" for name, image in dockerfile.items()} == arguments


def test_every_mounted_file_gets_an_selinux_label():
    mounts = [
        mount
        for service in STACK["services"].values()
        for mount in service.get("volumes", [])
        if isinstance(mount, dict) and mount["type"] == "bind"
    ]
    assert mounts
    assert [mount["source"] for mount in mounts if mount["bind"] != {"selinux": "z"}] == []


def test_every_image_has_a_version():
    images = [service["image"] for service in STACK["services"].values()]
    assert [image for image in images if not re.search(r":-[^:]+:[\w.-]+\}$", image)] == []
