"""A rebuild that has made the image that is live leaves a note, and nothing else."""

from __future__ import annotations

import logging
from types import SimpleNamespace

import pytest
from manifest_engine.domain import history, marks, resources
from manifest_engine.operators import rebuild_gate

from tests.unit.domain.releases import ARTIFACT, DIGEST, make_release

NOW = '{"bases":{"a":"2"}}'


class Workload:
    """Shows what is applied."""

    name = "pricing-quotes"
    log = logging.getLogger("test")

    def __init__(self):
        self.applied = []

    def apply(self, objects, live):
        self.applied = objects
        return objects[0] | {"metadata": objects[0]["metadata"] | {"generation": 3}}


@pytest.fixture
def noted():
    """What is applied over a live release, and whether the lease was given back."""
    workload, given_back = Workload(), []
    lease = SimpleNamespace(give_back=lambda: given_back.append(True))
    objects = resources.workload(make_release(env={"A": "b"}), DIGEST, ARTIFACT, {"bases": {}})
    live = history.continued(objects, None)[0]
    live["metadata"] |= {"generation": 3}

    def note(**annotations):
        live["metadata"]["annotations"] |= annotations
        done = rebuild_gate.note(workload, lease, NOW, live)
        assert given_back
        assert (done["changed"], done["generation"]) == (False, 3)
        return live, workload.applied

    return note


def test_the_live_release_s_own_objects_get_the_note_and_nothing_else(noted):
    live, (deployment, *_) = noted()
    assert marks.noted(deployment)[marks.BUILT_FROM] == NOW
    assert deployment["spec"] == live["spec"]
    for key in (marks.RELEASE_HASH, marks.RUN_ID, marks.MANIFEST):
        assert marks.noted(deployment)[key] == marks.noted(live)[key]
    packed = history.restored(marks.noted(deployment)[marks.OBJECTS])
    assert marks.noted(packed[0])[marks.BUILT_FROM] == NOW


def test_a_release_without_a_record_of_its_objects_is_left_as_it_is(noted):
    assert noted(**{marks.OBJECTS: "damaged"})[1] == []
