"""The manifest's Dockerfile, target, build arguments and platform, built by the real BuildKit."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from manifest_engine.domain.core.errors import BuildError, RegistryError
from manifest_engine.hooks.builder.hook import BuilderHook

if TYPE_CHECKING:
    from tests.integration.image.conftest import Service

STAGES = """FROM python:3.11 AS one
ARG WORD
RUN echo "one $WORD" > /word
FROM python:3.11 AS two
ARG WORD
RUN echo "two $WORD" > /word
FROM python:3.11
RUN exit 3
"""


def test_the_manifest_chooses_dockerfile_stage_and_arguments(
    service: Service, run: Callable[..., str]
) -> None:
    artifact = service.zip(
        **{"docker/Dockerfile.prod": STAGES, "scripts/Dockerfile": "FROM scratch"}
    )
    chosen = {
        "dockerfile": "docker/Dockerfile.prod",
        "target": "two",
        "buildArgs": {"WORD": "a b=c", "UNUSED": "1"},
    }
    built = service.build(artifact, **chosen)
    assert run(built["image_id"], "cat", "/word") == "two a b=c\n"
    assert built["builtFrom"]["args"]["WORD"] == "a b=c"
    assert any("has no ARG UNUSED" in line for line in service.log)

    pushed = service.push(built, **chosen)
    assert service.build(artifact, **chosen)["digest"] == pushed["digest"]

    service.go_live(pushed)
    with pytest.raises(RegistryError, match="another utilsVersion, dockerfile, target, platform"):
        service.build(artifact, **chosen | {"target": "one"})


def test_a_platform_that_no_builder_runs_is_refused_before_the_build(service: Service) -> None:
    artifact = service.zip(**{"scripts/Dockerfile": "FROM python:3.11\nRUN true\n"})
    with pytest.raises(BuildError) as caught:
        service.build(artifact, platform="linux/arm64")
    said = "cannot build for linux/arm64, because it only runs programs of linux/amd64"
    assert said in str(caught.value)
    assert not caught.value.retryable
    assert not any("Building" in line for line in service.log)


def test_files_alone_are_built_for_any_platform(service: Service) -> None:
    own = "FROM --platform=$BUILDPLATFORM python:3.11 AS b\nRUN echo x > /x\nFROM scratch\n"
    artifact = service.zip(**{"scripts/Dockerfile": own + 'COPY --from=b /x /x\nCMD ["/x"]\n'})
    built, _ = service.ship(artifact, platform="linux/arm64")
    with BuilderHook("docker_default") as builder:
        found = builder._inspect(built["image_id"])
    assert found is not None
    assert found["Architecture"] == "arm64"
