"""Images that a Dockerfile may use (``build.allowedBases``), checked by the real BuildKit."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from manifest_engine.domain.core.errors import BuildError
from manifest_engine.domain.environment.environment import Build

from sandbox.engine import docker_cli

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integration.image.conftest import Service

PYTHON = "docker.io/library/python:*"


@pytest.fixture(scope="module")
def private(sandbox: dict[str, str]) -> Iterator[str]:
    """Another team's image, in our registry and in the engine."""
    image = f"{sandbox['REGISTRY']}/other-team/private:1"
    env = {**os.environ, "PATH": f"{docker_cli.BIN}:{os.environ['PATH']}"}
    for words in (("tag", "python:3.11", image), ("push", "-q", image)):
        subprocess.run(["docker", *words], env=env, check=True, capture_output=True)
    yield image
    subprocess.run(["docker", "rmi", image], env=env, check=True, capture_output=True)


def allowing(*bases: str) -> dict[str, Any]:
    return {"build": Build.model_validate({"allowedBases": bases})}


INSTRUCTIONS = {
    "FROM": "FROM {image}\n",
    "FROM with an argument": "ARG TEAM=other-team\nFROM {registry}/${{TEAM}}/private:1\n",
    "FROM after a false heredoc": 'FROM python:3.11\nRUN echo "<<X"\nFROM {image}\nRUN echo X\n',
    "FROM on two lines": "FROM \\\n{image}\n",
    "COPY --from": "FROM python:3.11\nCOPY --from={image} /etc/passwd /x\n",
    "RUN --mount": "FROM python:3.11\nRUN --mount=from={image},target=/m ls /m\n",
    "syntax": "# syntax={image}\nFROM python:3.11\n",
}


@pytest.mark.parametrize("how", INSTRUCTIONS)
def test_an_image_that_the_environment_does_not_allow_is_refused(
    service: Service, private: str, how: str
) -> None:
    registry = private.partition("/")[0]
    own = INSTRUCTIONS[how].format(image=private, registry=registry)
    with pytest.raises(BuildError) as caught:
        service.build(service.zip(**{"scripts/Dockerfile": own}), environment=allowing(PYTHON))
    assert f"the environment does not allow the image {private}: use one that" in str(caught.value)
    assert "build.allowedBases in environments.yaml" in str(caught.value)
    assert not caught.value.retryable


def test_an_image_that_the_environment_allows_is_used(service: Service, private: str) -> None:
    own = f"FROM python:3.11\nCOPY --from={private} /etc/passwd /x\n"
    bases = allowing(PYTHON, f"{private.partition('/')[0]}/other-team/*")
    built = service.build(service.zip(**{"scripts/Dockerfile": own}), environment=bases)
    assert not built["reused"]


def test_without_a_rule_every_image_is_allowed(service: Service, private: str) -> None:
    own = f"FROM python:3.11\nCOPY --from={private} /etc/passwd /x\n"
    assert not service.build(service.zip(**{"scripts/Dockerfile": own}))["reused"]
