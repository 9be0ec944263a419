"""The release that a rollback without a version returns to, in the real cluster's history."""

from __future__ import annotations

from manifest_engine.domain.release import past as releases
from manifest_engine.domain.release import rollback
from manifest_engine.hooks.kubernetes.cluster import ClusterHook
from manifest_engine.services.workload.workload import Workload

from tests.integration.names import COMPONENT, NAME


def test_a_release_with_other_notes_is_not_a_rollback_target(apply, make_release, namespace):
    apply(make_release(env={"TEXT": "first"}))
    apply(make_release(version="2", env={"TEXT": "second"}))
    apply(make_release(version="2", env={"TEXT": "second"}, notes="for the fair", owner="pricing"))
    workload = Workload(ClusterHook("kubernetes_default"), namespace, NAME)
    live = workload.live()
    past = releases.past_releases(live, workload.replica_sets())
    asked = {"component": COMPONENT, "serviceName": "service", "environment": "dev"}

    target = rollback.choose(rollback.parse(asked), live, past)

    assert target.version == "1"
    listed = rollback.available(live, past)
    assert "1 (sha256:" in listed
    assert "with other env.TEXT" in listed
