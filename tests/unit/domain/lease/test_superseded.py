"""A run neither judges nor rolls back a release that replaced its own."""

from __future__ import annotations

import pytest
from manifest_engine.domain.core.errors import StateError
from manifest_engine.domain.lease import superseded
from manifest_engine.domain.release import annotations as annotation
from manifest_engine.domain.workload import resources

from tests.unit.domain.release.releases import ARTIFACT, DIGEST, make_release


def live(**fields):
    return resources.workload(make_release(**fields), DIGEST, ARTIFACT)[0]


MINE = annotation.read_annotations(live())[annotation.RELEASE_HASH]


def test_a_release_with_the_same_hash_is_accepted_from_any_run():
    superseded.refuse_replaced(MINE, live(run_id="another"))


def test_the_release_of_another_run_is_named_with_its_run():
    with pytest.raises(StateError, match="live is that of run other, asked for by ada"):
        superseded.refuse_replaced(MINE, live(version="2.0", run_id="other"))


def test_an_image_that_was_replaced_by_hand_is_named():
    changed = live()
    changed["spec"]["template"]["spec"]["containers"][0]["image"] = "registry.example/debug:1"
    with pytest.raises(StateError, match=r"by hand meanwhile: live is registry\.example/debug:1"):
        superseded.refuse_replaced(MINE, changed)


def test_without_a_release_hash_nothing_is_compared():
    superseded.refuse_replaced(None, live(version="2.0"))
