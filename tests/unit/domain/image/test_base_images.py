"""References of base images."""

from __future__ import annotations

import pytest
from manifest_engine.domain.image import base_images

DIGEST = "sha256:" + "1" * 64


@pytest.mark.parametrize(
    ("written", "whole"),
    [
        ("python:3.11", "docker.io/library/python:3.11"),
        ("python", "docker.io/library/python:latest"),
        ("team/python:3", "docker.io/team/python:3"),
        ("localhost/python", "localhost/python:latest"),
        ("localhost:5000/python", "localhost:5000/python:latest"),
        ("team.azurecr.io/base/python:3", "team.azurecr.io/base/python:3"),
        ("docker.io/library/python:3.11", "docker.io/library/python:3.11"),
        (f"python@{DIGEST}", f"docker.io/library/python@{DIGEST}"),
    ],
)
def test_a_reference_is_normalized_as_docker_does(written, whole):
    assert base_images.normalized(written) == whole


def test_a_reference_has_a_host_a_repository_and_a_tag():
    name = "localhost:5000/base/python:3.11"
    assert base_images.host(name) == "localhost:5000"
    assert base_images.repository(name) == "localhost:5000/base/python"
    assert base_images.repository(f"localhost:5000/python@{DIGEST}") == "localhost:5000/python"
    assert base_images.tag(name) == "3.11"
    assert base_images.is_pinned(f"python@{DIGEST}")
    assert not base_images.is_pinned(name)


def test_the_repo_digest_of_the_same_repository_is_found():
    repo_digests = [f"other.example/python@{'sha256:' + '2' * 64}", f"python@{DIGEST}"]
    assert base_images.digest_among("docker.io/library/python:3.11", repo_digests) == DIGEST
    assert base_images.digest_among("quay.io/python:3.11", repo_digests) is None


@pytest.mark.parametrize(
    "name",
    [
        "docker.io/library/python:3.11",
        "localhost:5000/a/b__c.d--e:1",
        "team.azurecr.io/base/python:3",
        "10.244.0.1:5443/datafactory/a/base:1",
        "[::1]:5000/a:latest",
        f"docker.io/library/python:3.11@{DIGEST}",
    ],
)
def test_a_normalized_reference_is_recognised(name):
    assert base_images.is_normalized(name)


@pytest.mark.parametrize(
    "text",
    [
        "--output=type=local,dest=/",
        "-x.example/base:1",
        "docker.io/library/python=docker-image://evil.example/base",
        "docker.io/library/python:3.11 --push",
        "docker.io/library/python:3.11\n",
        "docker.io/library/Python:3.11",
        "docker.io//python",
        "docker.io/python:",
        "docker.io/python:-x",
        "docker.io/python@sha256:1",
        "python:3.11",
        "",
        "docker.io/" + "a" * 600,
    ],
)
def test_any_other_text_is_not_a_normalized_reference(text):
    assert not base_images.is_normalized(text)
