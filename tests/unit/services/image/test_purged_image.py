"""An image that a node does not find: it lags behind, or the registry has lost it."""

import logging
from types import SimpleNamespace

import pytest
from manifest_engine.domain.core.errors import RegistryError
from manifest_engine.domain.workload.diagnosis import Finding
from manifest_engine.hooks.registry.acr import AcrHook
from manifest_engine.services.image import purged_image

from tests.unit.domain.release.releases import DIGEST, make_release

MISSING = Finding("the image i@d cannot be pulled: not found", retryable=True, image_missing=True)


@pytest.fixture
def registry(monkeypatch):
    """What the registry says of a digest: an object, None, or an error to raise."""
    asked = []

    def says(answer):
        def manifest(repository, digest):
            asked.append((repository, digest))
            if isinstance(answer, Exception):
                raise answer
            return answer

        monkeypatch.setattr(AcrHook, "api", SimpleNamespace(manifest=manifest))
        return asked

    return says


def told(finding):
    return purged_image.check_registry(finding, make_release(), DIGEST, logging.getLogger("test"))


def test_what_the_registry_has_lost_is_final_and_says_what_to_do(registry):
    asked = registry(None)
    found = told(MISSING)
    assert (found.final, found.retryable) == (True, False)
    assert found.sentence.startswith(MISSING.sentence)
    assert "Deploy the version again" in found.sentence
    assert asked == [(make_release().repository, DIGEST)]


@pytest.mark.parametrize("answer", [object(), RegistryError("it does not answer")])
def test_what_it_has_or_cannot_tell_is_tried_again(registry, answer):
    registry(answer)
    assert told(MISSING) == MISSING


def test_it_is_not_asked_about_anything_else(registry):
    asked = registry(None)
    other = Finding("the service crashed with exit code 3", final=True)
    assert told(other) == other
    assert asked == []
