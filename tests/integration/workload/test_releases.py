"""Releases in the real cluster: applied twice, in conflict, scaled, superseded."""

from __future__ import annotations

import json
import time
from datetime import timedelta

import pytest
from manifest_engine.domain.core.errors import ClusterError, StateError
from manifest_engine.domain.release import annotations as annotation
from manifest_engine.domain.release import history
from manifest_engine.domain.workload import resources
from manifest_engine.services.dry_run.cluster import DryRunHook
from manifest_engine.services.workload.workload import Workload

from tests.integration.names import NAME


def test_a_release_becomes_available_and_is_run_by_digest(apply, make_release, get, digest):
    begin = time.monotonic()

    done = apply(make_release(replicas=2))

    print(f"first release of two replicas took {time.monotonic() - begin:.2f} s")
    assert done["changed"] is True
    assert done["replicas"] == 2
    deployment = get(f"deployment/{NAME}")
    assert deployment["spec"]["template"]["spec"]["containers"][0]["image"].endswith("@" + digest)
    assert get(f"service/{NAME}")
    assert get(f"poddisruptionbudget/{NAME}")


def test_characters_beyond_the_basic_plane_are_applied_and_recorded(apply, make_release, get):
    done = apply(make_release(notes="ships \U0001f680", env={"TEXT": "\U0001f600 \u00e4"}))

    assert done["changed"] is True
    deployment = get(f"deployment/{NAME}")
    env = deployment["spec"]["template"]["spec"]["containers"][0]["env"]
    assert {"name": "TEXT", "value": "\U0001f600 \u00e4"} in env
    recorded = deployment["metadata"]["annotations"][annotation.MANIFEST]
    assert json.loads(recorded)["notes"] == "ships \U0001f680"


def test_the_same_release_again_changes_nothing(apply, make_release, get):
    kinds = "deployment,service,poddisruptionbudget"
    apply(make_release(replicas=2))
    seen_by_the_controllers(get)
    before = {item["kind"]: item["metadata"]["resourceVersion"] for item in get(kinds)["items"]}
    begin = time.monotonic()

    done = apply(make_release(replicas=2))

    print(f"the same again took {time.monotonic() - begin:.2f} s")
    after = {item["kind"]: item["metadata"]["resourceVersion"] for item in get(kinds)["items"]}
    assert done["changed"] is False
    assert after == before


def seen_by_the_controllers(get):
    """Wait until the controllers have written the status of the objects; the budget is last."""
    end = time.monotonic() + 30
    while get("poddisruptionbudget")["items"][0].get("status", {}).get("currentHealthy") != 2:
        assert time.monotonic() < end
        time.sleep(0.2)
    time.sleep(1)


def test_a_redeploy_rolls_the_new_release_out(apply, make_release, get):
    apply(make_release(replicas=2))
    begin = time.monotonic()

    done = apply(make_release(replicas=2, version="2", env={"TEXT": "second"}))

    print(f"redeploy of two replicas took {time.monotonic() - begin:.2f} s")
    assert done["changed"] is True
    assert get(f"deployment/{NAME}")["metadata"]["generation"] == 2


def test_force_conflicts_overwrites_the_fields(apply, make_release, get, kube, namespace):
    apply(make_release())
    kube("scale", f"deployment/{NAME}", "--replicas=2", "-n", namespace)

    apply(make_release(version="2", cluster={"forceConflicts": True}))

    assert get(f"deployment/{NAME}")["spec"]["replicas"] == 1


def test_an_object_made_by_somebody_else_is_not_adopted(apply, make_release, kube, namespace):
    kube("create", "service", "clusterip", NAME, "--tcp=80:80", "-n", namespace)

    with pytest.raises(ClusterError, match=rf"Service '{NAME}' exists .* already"):
        apply(make_release())

    left = kube("get", "deployments", "-n", namespace, "-o", "name")
    assert left.strip() == ""


def test_without_a_verdict_nothing_is_applied(apply, make_release, kube, namespace):
    with pytest.raises(StateError, match="handed over no verdict"):
        apply(make_release(), verdict=None)

    assert kube("get", "deployments", "-n", namespace, "-o", "name").strip() == ""


def test_a_run_older_than_the_live_release_is_refused_as_superseded(apply, make_release):
    newer = make_release()
    older = make_release(version="2").model_copy(
        update={"requested_at": newer.requested_at - timedelta(minutes=1)}
    )
    apply(newer)

    with pytest.raises(StateError, match="superseded"):
        apply(older)


def test_turning_the_autoscaler_on_keeps_the_number_of_pods(apply, make_release, get):
    apply(make_release(replicas=3))

    apply(make_release(version="2", autoscale={"minReplicas": 2, "maxReplicas": 4}))

    assert get(f"deployment/{NAME}")["spec"]["replicas"] == 3
    assert get(f"horizontalpodautoscaler/{NAME}")


def test_turning_the_autoscaler_off_removes_it_and_sets_replicas(apply, make_release, get):
    apply(make_release(autoscale={"minReplicas": 2, "maxReplicas": 4}))

    apply(make_release(version="2", replicas=1))

    assert get(f"deployment/{NAME}")["spec"]["replicas"] == 1
    assert get(f"horizontalpodautoscaler/{NAME}") is None
    assert get(f"poddisruptionbudget/{NAME}") is None


def test_a_dry_run_of_that_lists_each_object_once_and_changes_nothing(
    *, apply, make_release, get, digest, namespace, caplog
):
    apply(make_release(autoscale={"minReplicas": 2, "maxReplicas": 4}))
    before = get(f"deployment/{NAME}")
    hook = DryRunHook("kubernetes_default")
    desired = resources.workload(make_release(version="2", replicas=1), digest, {})

    with caplog.at_level("INFO"):
        Workload(hook, namespace, NAME).apply(history.carry_over(desired, before), before)

    assert sorted((change.kind, change.action) for change in hook.changes) == [
        ("Deployment", "change"),
        ("HorizontalPodAutoscaler", "remove"),
        ("PodDisruptionBudget", "remove"),
        ("Service", "change"),
    ]
    assert "is removed" not in caplog.text
    assert get(f"deployment/{NAME}")["spec"] == before["spec"]
    assert get(f"horizontalpodautoscaler/{NAME}")


def test_a_slow_rollout_is_waited_for_in_the_triggerer(apply, make_release, monkeypatch):
    from manifest_engine.operators.workload import apply_deployment

    monkeypatch.setattr(apply_deployment, "WATCH_SECONDS", 1.0)
    slow = {"MODE": "slow", "AFTER": "6"}

    done = apply(make_release(env=slow))

    assert done["replicas"] == 1
    assert done["seconds"] > 6
