"""Base images and frontends of a private registry beside the environment's own."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from manifest_engine.domain.core.errors import BuildError
from manifest_engine.domain.environment.builds import Build
from manifest_engine.hooks.registry.acr import AcrHook
from manifest_engine.services.image.base_lookup import BaseLookup

from tests.integration.image.choices.conftest import PASSWORD, USER

if TYPE_CHECKING:
    from tests.integration.image.choices.conftest import Private
    from tests.integration.image.conftest import Service


def rules(private: Private, **fields: Any) -> dict[str, Any]:
    listed = [{"host": private.host, "connection": "team_images"}]
    return {"build": Build.model_validate({"registries": listed, **fields}, strict=False)}


@pytest.fixture
def team_images(connections: Callable[..., None]) -> None:
    connections("team_images", conn_type="docker", login=USER, password=PASSWORD)


@pytest.mark.usefixtures("team_images")
def test_a_private_base_image_is_pulled_with_the_login_of_its_registry(
    service: Service, private: Private
) -> None:
    base = private.push("python:3.11", "base/python:1")
    own = service.zip(**{"scripts/Dockerfile": f'FROM {base}\nCOPY . /srv\nCMD ["x"]\n'})
    with pytest.raises(BuildError) as caught:
        service.build(own)
    assert f"does not let the builder read the base image {base}" in str(caught.value)
    assert "build.registries in environments.yaml" in str(caught.value)
    assert not caught.value.retryable

    given = rules(private)
    built = service.build(own, environment=given)
    digest = built["builtFrom"]["bases"][base]
    assert PASSWORD not in "\n".join(service.log)

    lookup = BaseLookup(AcrHook(), ["docker_default"], given["build"])
    assert lookup.current(base).pin == digest


@pytest.mark.usefixtures("team_images")
def test_a_frontend_comes_from_the_mirror(service: Service, private: Private) -> None:
    """The registry lacks the image, which shows where BuildKit looked for it."""
    own = service.zip(**{"scripts/Dockerfile": "# syntax=docker/dockerfile:1\nFROM python:3.11\n"})
    mirror = rules(private, syntaxMirror=f"{private.host}/hub", allowedBases=[])
    with pytest.raises(BuildError) as caught:
        service.build(own, environment=mirror)
    mirrored = f"{private.host}/hub/docker/dockerfile:1"
    assert f"{mirrored}, which the line `# syntax=` names, cannot be pulled" in str(caught.value)
    assert not caught.value.retryable


def test_without_a_mirror_a_frontend_that_is_not_allowed_is_refused_at_once(
    service: Service,
) -> None:
    own = service.zip(**{"scripts/Dockerfile": "# syntax=docker/dockerfile:1\nFROM python:3.11\n"})
    with pytest.raises(BuildError) as caught:
        service.build(own, environment={"build": Build(allowedBases=())})
    assert "does not allow docker.io/docker/dockerfile:1, which the line `# syntax=` names" in str(
        caught.value
    )
    assert "set build.syntaxMirror" in str(caught.value)
    assert not caught.value.retryable
