"""Base images that move: looked up, recorded, and taken by digest when a service is rebuilt."""

from __future__ import annotations

from uuid import uuid4

import pytest
from manifest_engine.domain.core.errors import BuildError
from manifest_engine.domain.environment.environment import Build
from manifest_engine.hooks.builder.hook import BuilderHook
from manifest_engine.hooks.registry.acr import AcrHook
from manifest_engine.operators.image.build_image import BuildImage
from manifest_engine.services.image.base_lookup import BaseLookup

from sandbox.core.settings import SETTINGS
from sandbox.engine import base_image, docker_cli

PYTHON = "docker.io/library/python:3.11"


class Base:
    """A base image of a test's own in the registry, and as the engine may still have it."""

    def __init__(self, docker_host):
        self.name = f"{SETTINGS.registry}/datafactory/tests/base-{uuid4().hex[:8]}:1"
        self._host = docker_host

    def push(self, text, folder):
        (folder / "Dockerfile").write_text(f"FROM {base_image.IMAGE}\nRUN echo {text} > /base\n")
        for words in (("build", "--quiet", "--tag", self.name, str(folder)), ("push", self.name)):
            docker_cli.docker(*words, host=self._host, what=f"making the base image {text}")
        return self.current()

    def current(self):
        return BaseLookup(AcrHook(), ["docker_default"]).current(self.name)

    def tag_locally(self, image):
        docker_cli.docker("tag", image, self.name, host=self._host, what="an old local copy")


@pytest.fixture
def base(docker_host, connections):
    made = Base(docker_host)
    yield made
    docker_cli.docker("rmi", made.name, host=docker_host, what="forgetting the base image")


def rebuild(**planned):
    return {"releaseHash": "h", "digest": "sha256:" + "0" * 64} | planned


def test_a_rebuild_takes_the_base_that_was_looked_up_over_an_old_copy_on_the_builder(
    service, base, tmp_path
):
    old, new = uuid4().hex, uuid4().hex  # steps that no engine has cached
    first = base.push(old, tmp_path)
    artifact = service.zip(**{"scripts/Dockerfile": f"FROM {base.name}\nRUN cat /base\n"})
    built, pushed = service.ship(artifact)
    assert built["builtFrom"]["bases"] == {base.name: first.pin}
    assert built["builtFrom"]["standard"] is False

    second = base.push(new, tmp_path)
    assert second.pin != first.pin
    base.tag_locally(base_image.IMAGE)
    planned = rebuild(digest=pushed["digest"], bases={base.name: second.pin})
    again = service.build(artifact, rebuild=planned, version="1.0.1")
    assert any(line.endswith(new) for line in service.log)
    assert again["builtFrom"]["bases"] == {base.name: second.pin}
    assert not again["reused"]


def test_a_rebuild_takes_a_base_that_the_environment_allows_and_no_other(service, base, tmp_path):
    current = base.push(uuid4().hex, tmp_path)
    artifact = service.zip(**{"scripts/Dockerfile": f"FROM {base.name}\nRUN cat /base\n"})
    planned = rebuild(bases={base.name: current.pin})
    other = Build.model_validate({"allowedBases": (PYTHON,)})
    with pytest.raises(BuildError, match=r"does not allow the image .*@sha256:"):
        service.build(artifact, rebuild=planned, environment={"build": other})
    allowing = Build.model_validate({"allowedBases": (base.name,)})
    built = service.build(artifact, rebuild=planned, environment={"build": allowing})
    assert built["builtFrom"]["bases"] == {base.name: current.pin}


def test_the_same_image_is_found_to_be_live_and_without_cache_every_step_runs(service):
    step = "RUN date +%N%s > /built"
    artifact = service.zip(**{"scripts/Dockerfile": f"FROM {base_image.IMAGE}\n{step}\n"})
    _, pushed = service.ship(artifact)

    def build(**planned):
        release = service.plan(rebuild=rebuild(digest=pushed["digest"], **planned))
        tagged = release.model_copy(update={"tag": "1.0.0-202601010230"})
        return BuildImage(task_id="build", release=tagged.dump(), artifact=artifact).run({})

    same = build()
    assert (same["unchanged"], same["digest"]) == (True, pushed["digest"])
    anew = build(noCache=True)
    assert "unchanged" not in anew
    assert anew["reused"] is False


def test_a_base_that_only_the_builder_has_is_known_by_its_id(connections):
    lookup = BaseLookup(AcrHook(), ["docker_default"])
    found = lookup.current(PYTHON)
    with BuilderHook("docker_default") as builder:
        local = builder.local_base(PYTHON)
    assert local is not None
    assert local.pulled_as is None
    assert found.digests == {local.image_id}
    assert found.pin is None


def test_what_a_builder_once_had_from_a_registry_that_does_not_tell_is_not_the_present_one(
    base, tmp_path, connections
):
    pushed = base.push(uuid4().hex, tmp_path)
    with BuilderHook("docker_default") as builder:
        local = builder.local_base(base.name)
    assert local is not None
    assert local.pulled_as == pushed.pin

    connections("acr_default", conn_type="acr", host="another.invalid")  # ours is a stranger now
    found = base.current()

    assert not found.digests
    assert f"base image {base.name} could not be looked up" in found.problem


def test_a_base_that_nobody_has_is_a_problem_told_with_its_name(connections):
    lookup = BaseLookup(AcrHook(), ["docker_default"])
    for name in (f"{SETTINGS.registry}/datafactory/tests/none:1", "no-such-host.invalid/base:1"):
        found = lookup.current(name)
        assert not found.digests
        assert f"base image {name} could not be looked up" in found.problem


def test_the_standard_dockerfile_is_recorded_with_its_base(service):
    record = service.build(service.zip())["builtFrom"]
    assert record["standard"] is True
    assert list(record["bases"]) == [PYTHON]
