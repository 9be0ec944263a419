"""Base images whose tag moves: looked up, recorded, and used by digest in a rebuild."""

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
    """A base image in the registry, and the engine's local copy."""

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


def test_a_rebuild_uses_the_planned_base_and_not_the_builders_old_copy(service, base, tmp_path):
    old, new = uuid4().hex, uuid4().hex  # no engine has cached these steps
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


def test_a_rebuild_uses_only_a_base_that_the_environment_allows(service, base, tmp_path):
    current = base.push(uuid4().hex, tmp_path)
    artifact = service.zip(**{"scripts/Dockerfile": f"FROM {base.name}\nRUN cat /base\n"})
    planned = rebuild(bases={base.name: current.pin})
    other = Build.model_validate({"allowedBases": (PYTHON,)})
    with pytest.raises(BuildError, match=r"does not allow the image .*@sha256:"):
        service.build(artifact, rebuild=planned, environment={"build": other})
    allowing = Build.model_validate({"allowedBases": (base.name,)})
    built = service.build(artifact, rebuild=planned, environment={"build": allowing})
    assert built["builtFrom"]["bases"] == {base.name: current.pin}


def test_an_unchanged_rebuild_is_recognised_and_no_cache_runs_every_step(service):
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


def test_a_base_that_only_the_builder_has_is_identified_by_its_id(connections):
    lookup = BaseLookup(AcrHook(), ["docker_default"])
    found = lookup.current(PYTHON)
    with BuilderHook("docker_default") as builder:
        local = builder.local_base(PYTHON)
    assert local is not None
    assert local.pulled_as is None
    assert found.digests == {local.image_id}
    assert found.pin is None


def test_the_builders_pulled_copy_does_not_replace_an_unknown_registry_digest(
    base, tmp_path, connections
):
    pushed = base.push(uuid4().hex, tmp_path)
    with BuilderHook("docker_default") as builder:
        local = builder.local_base(base.name)
    assert local is not None
    assert local.pulled_as == pushed.pin

    connections(
        "acr_default", conn_type="acr", host="another.invalid"
    )  # no Connection for our registry now
    found = base.current()

    assert not found.digests
    assert f"base image {base.name} could not be looked up" in found.problem


def test_a_base_that_does_not_exist_is_reported_by_name(connections):
    lookup = BaseLookup(AcrHook(), ["docker_default"])
    for name in (f"{SETTINGS.registry}/datafactory/tests/none:1", "no-such-host.invalid/base:1"):
        found = lookup.current(name)
        assert not found.digests
        assert f"base image {name} could not be looked up" in found.problem


def test_the_standard_dockerfile_is_recorded_with_its_base(service):
    record = service.build(service.zip())["builtFrom"]
    assert record["standard"] is True
    assert list(record["bases"]) == [PYTHON]
