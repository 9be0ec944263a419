"""What is attached to an image, read from a registry without the referrers API."""

from __future__ import annotations

import pytest
from manifest_engine.domain.core.errors import RegistryError
from manifest_engine.domain.image import referrer
from manifest_engine.hooks.registry import referrers

from tests.unit.hooks.registry.registry_server import REPOSITORY

KIND = "application/vnd.cyclonedx+json"
CONTENT = b'{"components": []}'


@pytest.fixture
def digest(server):
    """An image to which CONTENT is attached."""
    image = server.put(REPOSITORY, "1", {}, indexed=False)
    subject = referrer.Descriptor(referrer.MANIFEST, image, 1)
    made = referrer.manifest(subject, KIND, CONTENT)
    server.blobs[referrer.digest(CONTENT)] = CONTENT
    server._store(REPOSITORY, "made", referrer.MANIFEST, made)
    index = referrer.with_entry(None, made, KIND)
    server._store(REPOSITORY, referrer.fallback_tag(image), referrer.INDEX, index)
    return image


def test_what_is_attached_is_read(hook, digest):
    assert hook.api.referrers(REPOSITORY, digest).read(KIND) == CONTENT


def test_content_of_another_type_or_image_is_none(hook, digest):
    assert hook.api.referrers(REPOSITORY, digest).read("application/vnd.other+json") is None
    other = "sha256:" + "ab" * 32
    assert hook.api.referrers(REPOSITORY, other).read(KIND) is None


def test_large_content_is_not_read(hook, digest, server, monkeypatch):
    monkeypatch.setattr(referrers, "ANSWER_MAX", len(CONTENT) - 1)
    with pytest.raises(RegistryError, match="at most"):
        hook.api.referrers(REPOSITORY, digest).read(KIND)
    assert server.count("blobs") == 0
