"""A rebuild that produced the live image again changes one annotation only."""

from __future__ import annotations

import logging
from types import SimpleNamespace

import pytest
from manifest_engine.domain.drift.drift import Policy
from manifest_engine.domain.release import annotations as annotation
from manifest_engine.domain.release import history
from manifest_engine.domain.workload import resources
from manifest_engine.operators.rebuild import rebuild_gate

from tests.unit.domain.release.releases import ARTIFACT, DIGEST, make_release

NOW = '{"bases":{"a":"2"}}'


class Workload:
    """Records the applied objects."""

    name = "pricing-quotes"
    log = logging.getLogger("test")
    policy = Policy()

    def __init__(self):
        self.applied = []

    def apply(self, objects, live):
        self.applied = objects
        return objects[0] | {"metadata": objects[0]["metadata"] | {"generation": 3}}


@pytest.fixture
def recorded():
    """The objects applied over a live release, and whether the lease was released."""
    workload, released = Workload(), []
    lease = SimpleNamespace(release=lambda: released.append(True))
    objects = resources.workload(make_release(env={"A": "b"}), DIGEST, ARTIFACT, {"bases": {}})
    live = history.carry_over(objects, None)[0]
    live["metadata"] |= {"generation": 3}

    def record(**annotations):
        live["metadata"]["annotations"] |= annotations
        done = rebuild_gate.record_unchanged(workload, lease, NOW, live)
        assert released
        assert (done["changed"], done["generation"]) == (False, 3)
        return live, workload.applied

    return record


def test_the_live_objects_are_applied_with_the_new_annotation_only(recorded):
    live, (deployment, *_) = recorded()
    assert annotation.read_annotations(deployment)[annotation.BUILT_FROM] == NOW
    assert deployment["spec"] == live["spec"]
    for key in (annotation.RELEASE_HASH, annotation.RUN_ID, annotation.MANIFEST):
        assert (
            annotation.read_annotations(deployment)[key] == annotation.read_annotations(live)[key]
        )
    packed = history.restore(annotation.read_annotations(deployment)[annotation.OBJECTS])
    assert annotation.read_annotations(packed[0])[annotation.BUILT_FROM] == NOW


def test_a_release_without_recorded_objects_is_not_changed(recorded):
    assert recorded(**{annotation.OBJECTS: "damaged"})[1] == []
