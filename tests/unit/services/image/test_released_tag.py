"""Which image of a version is reused, and which image is refused."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from manifest_engine.domain.build.recipe import ARTIFACT_SHA256_LABEL, INPUT_LABEL
from manifest_engine.domain.core.errors import RegistryError
from manifest_engine.services.image.released_tag import find_released

from tests.unit.domain.release.releases import DIGEST, make_release

SHA256 = "a" * 64
REBUILT = "sha256:" + "e" * 64


def image(digest, key, sha256=SHA256):
    return SimpleNamespace(digest=digest, labels={INPUT_LABEL: key, ARTIFACT_SHA256_LABEL: sha256})


def find(images, *, live=None, **fields):
    """:param images: by tag or digest."""
    release = make_release(**fields).model_copy(update={"live_digest": live})
    api = SimpleNamespace(
        find=lambda _repository, reference: images.get(reference),
        manifest=lambda _repository, _tag: None,
    )
    return find_released(api, release, key="mine", sha256=SHA256).image


def test_a_free_tag_has_no_image():
    assert find({}) is None


def test_the_image_of_the_tag_is_reused_for_the_same_input():
    assert find({"1.0": image(DIGEST, "mine")}).digest == DIGEST


@pytest.mark.parametrize("of_the_tag", ["mine", "of other content"])
def test_a_live_rebuild_takes_precedence_over_the_image_of_the_version(of_the_tag):
    images = {"1.0": image(DIGEST, of_the_tag), REBUILT: image(REBUILT, "mine")}
    assert find(images, live=REBUILT).digest == REBUILT


def test_a_live_image_of_other_input_or_a_purged_image_is_ignored():
    other = {"1.0": image(DIGEST, "mine"), REBUILT: image(REBUILT, "other")}
    assert find(other, live=REBUILT).digest == DIGEST
    assert find({"1.0": image(DIGEST, "mine")}, live=REBUILT).digest == DIGEST


def test_a_rebuild_looks_up_its_own_tag():
    asked = {"releaseHash": "h", "digest": REBUILT}
    assert find({REBUILT: image(REBUILT, "mine")}, live=REBUILT, rebuild=asked) is None


@pytest.mark.parametrize(
    ("sha256", "said"),
    [
        ("b" * 64, r"other content \(artifact sha256 bbbbbbbbbbbb…\)"),
        (SHA256, "the same artifact with another utilsVersion, dockerfile"),
    ],
)
def test_other_content_is_refused_naming_the_difference(sha256, said):
    with pytest.raises(RegistryError, match=said) as raised:
        find({"1.0": image(DIGEST, "other", sha256)})
    assert "deploy this under a new version" in str(raised.value)
