"""A release in the real cluster: applied twice, in conflict, good, bad, rolled back."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from threading import Timer
from typing import Any

import pytest
from manifest_engine.domain.errors import ClusterError, RolloutFailed, StateError

from tests.integration.names import NAME


@pytest.fixture
def apply(digest: str, context: Callable[..., Any]) -> Callable[..., Any]:
    """Runs the step with a good verdict, and waits in the task if it would defer."""
    from airflow.sdk.exceptions import TaskDeferred
    from manifest_engine.operators.apply_deployment import ApplyDeployment

    def run(release: Any, *, digest: str = digest, **changes: Any) -> dict[str, Any]:
        good = {
            "digest": digest,
            "runId": release.run_id,
            "asked": "/health",
            "status": 200,
            "ok": True,
            "seconds": 0.1,
        }
        task = ApplyDeployment(
            task_id="apply_deployment",
            release=release.dump(),
            artifact={"sha256": "a" * 64},
            push={"digest": digest},
            verdict=changes.get("verdict", good),
        )
        made = context(release.run_id)
        try:
            done = task.execute(made)
        except TaskDeferred as deferred:
            if not changes.get("wait", True):
                raise
            done = _resume(task, made, deferred)
        if not changes.get("keep_lease"):
            task.on_kill()  # as publish_route does when it is done
        return done

    return run


def _resume(task: Any, made: Any, deferred: Any) -> dict[str, Any]:
    import asyncio

    event = asyncio.run(anext(deferred.trigger.run())).payload
    return getattr(task, deferred.method_name)(made, event, **(deferred.kwargs or {}))


@pytest.fixture(autouse=True)
def nothing_left(kube: Any, namespace: str) -> Any:
    yield
    kinds = "deployments,services,poddisruptionbudgets,horizontalpodautoscalers,httproutes,leases"
    kube("delete", kinds, "--all", "-n", namespace, "--wait=true")


@pytest.fixture
def get(kube: Any, namespace: str) -> Callable[[str], Any]:
    def read(what: str) -> Any:
        said = kube("get", what, "-n", namespace, "-o", "json", "--ignore-not-found")
        return json.loads(said) if said.strip() else None

    return read


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


def test_the_same_release_again_changes_nothing_at_all(apply, make_release, get):
    kinds = "deployment,service,poddisruptionbudget"
    apply(make_release(replicas=2))
    time.sleep(1)
    before = {item["kind"]: item["metadata"]["resourceVersion"] for item in get(kinds)["items"]}
    begin = time.monotonic()

    done = apply(make_release(replicas=2))

    print(f"the same again took {time.monotonic() - begin:.2f} s")
    after = {item["kind"]: item["metadata"]["resourceVersion"] for item in get(kinds)["items"]}
    assert done["changed"] is False
    assert after == before


def test_a_redeploy_rolls_the_new_release_out(apply, make_release, get):
    apply(make_release(replicas=2))
    begin = time.monotonic()

    done = apply(make_release(replicas=2, version="2", env={"TEXT": "second"}))

    print(f"redeploy of two replicas took {time.monotonic() - begin:.2f} s")
    assert done["changed"] is True
    assert get(f"deployment/{NAME}")["metadata"]["generation"] == 2


def test_an_owner_of_a_field_is_named_and_nothing_is_overwritten(
    apply, make_release, get, kube, namespace
):
    apply(make_release())
    kube("scale", f"deployment/{NAME}", "--replicas=2", "-n", namespace)

    with pytest.raises(ClusterError) as raised:
        apply(make_release(version="2"))

    assert "'kubectl' owns .spec.replicas" in str(raised.value)
    assert "forceConflicts" in str(raised.value)
    assert get(f"deployment/{NAME}")["spec"]["replicas"] == 2


def test_force_takes_the_fields_over(apply, make_release, get, kube, namespace):
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


def test_a_crashing_update_is_rolled_back_with_the_reason(apply, make_release, get):
    apply(make_release(replicas=2))

    with pytest.raises(RolloutFailed) as raised:
        apply(make_release(replicas=2, version="2", env={"MODE": "crash"}))

    assert "exit code 3" in str(raised.value)
    assert "cannot open the price list" in str(raised.value)
    assert "Rolled back to version 1" in str(raised.value)
    deployment = get(f"deployment/{NAME}")
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    assert container.get("env", []) == []
    assert deployment["metadata"]["labels"]["app.kubernetes.io/version"] == "1"
    assert deployment["status"]["availableReplicas"] == 2


def test_a_rollback_restores_the_whole_release_and_prunes_what_the_new_one_added(
    apply, make_release, get
):
    apply(make_release(replicas=1, env={"TEXT": "first"}))
    scale = {"minReplicas": 2, "maxReplicas": 3}

    with pytest.raises(RolloutFailed):
        apply(make_release(version="2", autoscale=scale, env={"MODE": "crash"}))

    deployment = get(f"deployment/{NAME}")
    assert deployment["spec"]["replicas"] == 1
    assert deployment["spec"]["template"]["spec"]["containers"][0]["env"] == [
        {"name": "TEXT", "value": "first"}
    ]
    assert get(f"poddisruptionbudget/{NAME}") is None
    assert get(f"horizontalpodautoscaler/{NAME}") is None


def test_a_failed_first_release_is_removed_again(apply, make_release, kube, namespace):
    with pytest.raises(RolloutFailed, match="first release"):
        apply(make_release(replicas=2, env={"MODE": "crash"}))

    kinds = "deployments,services,poddisruptionbudgets"
    assert kube("get", kinds, "-n", namespace, "-o", "name").strip() == ""


def test_what_the_probe_was_answered_is_told_when_a_pod_never_gets_ready(apply, make_release):
    quick = {"timeoutSeconds": 3}

    with pytest.raises(RolloutFailed) as raised:
        apply(make_release(env={"MODE": "unhealthy"}, smokeTest=quick))

    assert "Startup probe failed: HTTP probe failed with statuscode: 418" in str(raised.value)


def test_without_a_verdict_nothing_is_applied(apply, make_release, kube, namespace):
    with pytest.raises(StateError, match="No verdict"):
        apply(make_release(), verdict=None)

    assert kube("get", "deployments", "-n", namespace, "-o", "name").strip() == ""


def test_a_run_older_than_what_is_live_is_refused_as_superseded(apply, make_release):
    newer = make_release()
    older = make_release(version="2").model_copy(
        update={"requested_at": newer.requested_at - timedelta(minutes=1)}
    )
    apply(newer)

    with pytest.raises(StateError, match="superseded"):
        apply(older)


def test_turning_the_autoscaler_on_keeps_the_pods_that_run(apply, make_release, get):
    apply(make_release(replicas=3))

    apply(make_release(version="2", autoscale={"minReplicas": 2, "maxReplicas": 4}))

    assert get(f"deployment/{NAME}")["spec"]["replicas"] == 3
    assert get(f"horizontalpodautoscaler/{NAME}")


def test_turning_the_autoscaler_off_prunes_it_and_sets_replicas_again(apply, make_release, get):
    apply(make_release(autoscale={"minReplicas": 2, "maxReplicas": 4}))

    apply(make_release(version="2", replicas=1))

    assert get(f"deployment/{NAME}")["spec"]["replicas"] == 1
    assert get(f"horizontalpodautoscaler/{NAME}") is None
    assert get(f"poddisruptionbudget/{NAME}") is None


LEASE = """
apiVersion: coordination.k8s.io/v1
kind: Lease
metadata: {{name: {name}, namespace: {namespace}}}
spec: {{holderIdentity: another-run, leaseDurationSeconds: 60, renewTime: "{renewed}"}}
"""


def hold(kube, namespace, renewed):
    text = renewed.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    kube("apply", "-f", "-", given=LEASE.format(name=NAME, namespace=namespace, renewed=text))


def test_a_run_waits_for_another_ones_deployment_without_a_worker(
    apply, make_release, kube, namespace, get
):
    from airflow.sdk.exceptions import TaskDeferred

    hold(kube, namespace, datetime.now(UTC))

    with pytest.raises(TaskDeferred) as deferred:
        apply(make_release(), wait=False)

    assert deferred.value.method_name == "execute_with_lease"
    assert get(f"deployment/{NAME}") is None


def test_it_goes_on_once_the_lease_is_given_back(apply, make_release, kube, namespace):
    hold(kube, namespace, datetime.now(UTC))
    give_back = Timer(3, kube, ("delete", "lease", NAME, "-n", namespace))
    give_back.start()

    assert apply(make_release())["changed"] is True


def test_the_lease_of_a_dead_holder_expires(apply, make_release, kube, namespace, get):
    hold(kube, namespace, datetime.now(UTC) - timedelta(seconds=90))
    release = make_release()

    apply(release, wait=False, keep_lease=True)

    assert get(f"lease/{NAME}")["spec"]["holderIdentity"] == release.run_id


def test_another_try_of_the_same_run_holds_it_already(apply, make_release):
    release = make_release()
    apply(release, wait=False, keep_lease=True)

    assert apply(release, wait=False)["changed"] is False


def test_a_failed_run_gives_the_lease_back(apply, make_release, get):
    with pytest.raises(RolloutFailed):
        apply(make_release(env={"MODE": "crash"}))

    assert get(f"lease/{NAME}") is None


def test_a_rollout_that_takes_long_is_waited_for_in_the_triggerer(apply, make_release, monkeypatch):
    from manifest_engine.operators import apply_deployment

    monkeypatch.setattr(apply_deployment, "WATCH_SECONDS", 1.0)
    slow = {"MODE": "slow", "AFTER": "6"}

    done = apply(make_release(env=slow))

    assert done["replicas"] == 1
    assert done["seconds"] > 6
