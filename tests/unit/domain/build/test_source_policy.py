"""Which sources a Dockerfile may use, judged as BuildKit applies the rules."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from manifest_engine.domain.build.source_policy import source_policy
from manifest_engine.domain.environment.environment import Build
from pydantic import ValidationError

DIGEST = "sha256:" + "1" * 64
BASES = ["docker.io/library/python:3.*", "team.example:5000/base/*", "team.example/app"]


def build(**fields: Any) -> Build:
    return Build.model_validate(fields, strict=False)


def allows(policy: str, source: str) -> bool:
    """The last match decides, as in sourcepolicy/engine.go and util/wildcard of moby/buildkit."""
    allowed = True
    for rule in json.loads(policy)["rules"]:
        selector = rule["selector"]
        if selector.get("match_type") == "REGEX":
            found = re.search(selector["identifier"], source)
        else:
            pattern = "(.*)".join(map(re.escape, selector["identifier"].split("*")))
            found = re.match(f"^{pattern}$", source)
        if found:
            allowed = rule["action"] == "ALLOW"
    return allowed


def test_without_restrictions_there_is_no_policy() -> None:
    assert source_policy(build(), {"docker.io/library/python:3.11": DIGEST}) == ""


@pytest.mark.parametrize(
    ("image", "allowed"),
    [
        ("docker.io/library/python:3.11", True),
        (f"docker.io/library/python:3.11@{DIGEST}", True),
        ("docker.io/library/python:2.7", False),
        ("docker.io/library/python-evil:3.11", False),
        ("team.example:5000/base/python/slim:1", True),
        ("team.example:5000/datafactory/other/service:1", False),
        ("team.example/app:1", True),
        (f"team.example/app@{DIGEST}", True),
        ("team.example/app-secret:1", False),
        ("evil.example/team.example/app:1", False),
    ],
)
def test_an_image_must_match_a_pattern(image: str, allowed: bool) -> None:
    policy = source_policy(build(allowedBases=BASES), {})
    assert allows(policy, f"docker-image://{image}") is allowed


def test_an_empty_list_allows_no_image() -> None:
    policy = source_policy(build(allowedBases=[]), {})
    assert not allows(policy, "docker-image://docker.io/library/python:3.11")
    assert allows(policy, "local://context")


def test_the_pinned_digest_of_an_allowed_base_is_allowed() -> None:
    pins = {"docker.io/library/python:3.11": DIGEST, "team.example/secret:1": DIGEST}
    policy = source_policy(build(allowedBases=BASES), pins)
    assert allows(policy, f"docker-image://docker.io/library/python@{DIGEST}")
    assert not allows(policy, f"docker-image://team.example/secret@{DIGEST}")


def test_a_restricted_network_allows_images_but_no_urls() -> None:
    policy = source_policy(build(network="restricted"), {})
    assert allows(policy, "docker-image://any.example/image:1")
    assert allows(policy, "http://buildkit-session/the-context")
    for url in (
        "http://buildkit-session.example.com/x",
        "http://169.254.169.254/",
        "https://example.com/x",
        "git://example.com/x.git",
    ):
        assert not allows(policy, url)
        assert allows(source_policy(build(allowedBases=BASES), {}), url)


def test_a_source_of_an_unknown_kind_is_refused() -> None:
    for fields in ({"network": "restricted"}, {"allowedBases": BASES}):
        assert not allows(source_policy(build(**fields), {}), "oci-layout://anything\nelse")


@pytest.mark.parametrize("pattern", ["python:3.11", "*", "*.example.com/base", "team.example/a?b"])
def test_a_pattern_without_a_full_registry_name_is_refused(pattern: str) -> None:
    with pytest.raises(ValidationError, match="allowedBases"):
        build(allowedBases=[pattern])


def test_frontends_of_the_mirror_are_allowed_beside_the_bases() -> None:
    policy = source_policy(build(allowedBases=BASES, syntaxMirror="team.example/hub"), {})
    assert allows(policy, "docker-image://team.example/hub/docker/dockerfile:1")
    assert allows(policy, f"docker-image://team.example/hub/docker/dockerfile:1@{DIGEST}")
    assert not allows(policy, "docker-image://team.example/hub/other:1")
    assert not allows(policy, "docker-image://docker.io/docker/dockerfile:1")
