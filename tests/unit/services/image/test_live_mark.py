"""A version is used up once its image has been live, in any environment."""

from __future__ import annotations

import logging
from types import SimpleNamespace

import pytest
from manifest_engine.domain.build.recipe import ARTIFACT_SHA256_LABEL, INPUT_LABEL
from manifest_engine.domain.core.errors import RegistryError, StateError
from manifest_engine.services.image import live_mark
from manifest_engine.services.image.live_mark import CANDIDATE, LIVE
from manifest_engine.services.image.released_tag import find_released

from tests.unit.domain.release.releases import make_release

OLD, NEW = "sha256:" + "1" * 64, "sha256:" + "2" * 64
LOG = logging.getLogger("test")
RELEASE = make_release()


class Registry:
    """A registry with one repository, whose tags include the marks."""

    def __init__(self, *, takes_marks=True):
        self.tags = {"1.0": OLD}
        self.takes_marks = takes_marks

    def manifest(self, _repository, tag):
        return SimpleNamespace(digest=self.tags[tag]) if tag in self.tags else None

    def tag(self, _repository, tag, digest):
        if not self.takes_marks:
            raise RegistryError("It takes no such tag.")
        self.tags[tag] = digest

    def find(self, _repository, reference):
        digest = self.tags.get(reference, reference)
        labels = {INPUT_LABEL: digest, ARTIFACT_SHA256_LABEL: "b" * 64}
        return SimpleNamespace(digest=digest, labels=labels)


def tag_of(digest, mark):
    return f"{digest.replace(':', '-')}.{mark}"


def mark(registry, *marks):
    registry.tags |= {tag_of(OLD, item): OLD for item in marks}


@pytest.fixture
def registry():
    return Registry()


def find(registry, release=RELEASE):
    return find_released(registry, release, key=NEW, sha256="a" * 64)


def test_a_candidate_is_replaced_until_it_has_been_live(registry):
    live_mark.mark_candidate(registry, RELEASE, OLD, LOG)
    assert find(registry).replaces == OLD
    live_mark.mark_live(registry, RELEASE, OLD)
    with pytest.raises(RegistryError, match="deploy this under a new version"):
        find(registry)


def test_an_image_without_marks_counts_as_live(registry):
    with pytest.raises(RegistryError, match="not overwritten"):
        find(registry)


def test_the_live_image_of_the_environment_is_not_replaced(registry):
    mark(registry, CANDIDATE)
    with pytest.raises(RegistryError, match="not overwritten"):
        find(registry, RELEASE.model_copy(update={"live_digest": OLD}))


def test_a_deployment_whose_tag_was_taken_meanwhile_stops(registry):
    mark(registry, CANDIDATE)
    registry.tags["1.0"] = NEW
    with pytest.raises(StateError, match="built again from other content"):
        live_mark.mark_live(registry, RELEASE, OLD)


def test_a_tag_whose_former_image_became_live_meanwhile_is_put_back(registry):
    mark(registry, CANDIDATE, LIVE)
    registry.tags["1.0"] = NEW
    with pytest.raises(RegistryError, match="has become live meanwhile"):
        live_mark.put_back_if_live(registry, RELEASE, OLD)
    assert registry.tags["1.0"] == OLD


def test_a_tag_whose_former_image_was_never_live_stays(registry):
    mark(registry, CANDIDATE)
    registry.tags["1.0"] = NEW
    live_mark.put_back_if_live(registry, RELEASE, OLD)
    assert registry.tags["1.0"] == NEW


@pytest.mark.parametrize("first", ["deployment", "replacement"])
def test_a_deployment_and_a_replacement_at_the_same_time_never_both_go_on(registry, first):
    """Each writes before it reads, so the later reader sees the other in every order."""
    mark(registry, CANDIDATE)
    assert find(registry).replaces == OLD  # the replacement looks before the deployment marks
    stopped = []

    def deploy():
        try:
            live_mark.mark_live(registry, RELEASE, OLD)
        except StateError:
            stopped.append("deployment")

    def replace():
        registry.tags["1.0"] = NEW
        try:
            live_mark.put_back_if_live(registry, RELEASE, OLD)
        except RegistryError:
            stopped.append("replacement")

    for act in (deploy, replace) if first == "deployment" else (replace, deploy):
        act()

    assert stopped == ["replacement" if first == "deployment" else "deployment"]
    assert registry.tags["1.0"] == (OLD if first == "deployment" else NEW)


def test_a_mark_that_names_another_image_is_no_mark(registry):
    registry.tags[tag_of(OLD, CANDIDATE)] = NEW
    with pytest.raises(RegistryError, match="not overwritten"):
        find(registry)


def test_a_registry_that_takes_no_marks_does_not_stop_a_deployment():
    registry = Registry(takes_marks=False)
    live_mark.mark_candidate(registry, RELEASE, OLD, LOG)
    live_mark.mark_live(registry, RELEASE, OLD)


def test_a_candidate_that_cannot_be_marked_as_live_stops_the_deployment():
    registry = Registry(takes_marks=False)
    mark(registry, CANDIDATE)
    with pytest.raises(RegistryError):
        live_mark.mark_live(registry, RELEASE, OLD)


def test_a_rebuild_is_no_candidate(registry):
    rebuild = make_release(rebuild={"releaseHash": "h", "digest": OLD})
    live_mark.mark_candidate(registry, rebuild, NEW, LOG)
    assert registry.tags == {"1.0": OLD}
