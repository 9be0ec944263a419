"""An image that a node cannot find is either replicated late or deleted in the registry."""

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
    """The registry's answer for a digest: an object, None, or an error to raise."""
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


def checked(finding):
    return purged_image.check_registry(finding, make_release(), DIGEST, logging.getLogger("test"))


def test_an_image_missing_in_the_registry_is_final_and_says_what_to_do(registry):
    asked = registry(None)
    found = checked(MISSING)
    assert (found.final, found.retryable) == (True, False)
    assert found.sentence.startswith(MISSING.sentence)
    assert "Deploy the version again" in found.sentence
    assert asked == [(make_release().repository, DIGEST)]


@pytest.mark.parametrize("answer", [object(), RegistryError("it does not answer")])
def test_an_image_in_the_registry_or_an_unknown_answer_is_retried(registry, answer):
    registry(answer)
    assert checked(MISSING) == MISSING


def test_other_findings_do_not_ask_the_registry(registry):
    asked = registry(None)
    other = Finding("the service crashed with exit code 3", final=True)
    assert checked(other) == other
    assert asked == []
