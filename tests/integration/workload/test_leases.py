"""Leases allow one deployment of a service at a time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from threading import Timer

import pytest
from manifest_engine.domain.core.errors import RolloutFailed, StateError

from tests.integration.names import LEASE_NAME, NAME

LEASE = """
apiVersion: coordination.k8s.io/v1
kind: Lease
metadata: {{name: {name}, namespace: {namespace}, labels: {labels}}}
spec: {{holderIdentity: another-run, leaseDurationSeconds: 60, renewTime: "{renewed}"}}
"""


OURS = "{app.kubernetes.io/managed-by: manifest-engine}"


def hold(kube, namespace, renewed, *, name=LEASE_NAME, labels=OURS):
    text = renewed.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    desired = LEASE.format(name=name, namespace=namespace, labels=labels, renewed=text)
    kube("apply", "-f", "-", given=desired)


def test_a_run_waits_for_another_run_without_a_worker(apply, make_release, kube, namespace, get):
    from airflow.sdk.exceptions import TaskDeferred

    hold(kube, namespace, datetime.now(UTC))

    with pytest.raises(TaskDeferred) as deferred:
        apply(make_release(), wait=False)

    assert deferred.value.method_name == "execute_with_lease"
    assert get(f"deployment/{NAME}") is None


def test_the_run_continues_once_the_lease_is_released(apply, make_release, kube, namespace):
    hold(kube, namespace, datetime.now(UTC))
    release = Timer(3, kube, ("delete", "lease", LEASE_NAME, "-n", namespace))
    release.start()

    assert apply(make_release())["changed"] is True


def test_the_lease_of_a_dead_holder_expires(apply, make_release, kube, namespace, get):
    hold(kube, namespace, datetime.now(UTC) - timedelta(seconds=90))
    release = make_release()

    apply(release, wait=False, keep_lease=True)

    assert get(f"lease/{LEASE_NAME}")["spec"]["holderIdentity"] == release.run_id


def test_a_lease_with_the_services_own_name_is_not_touched(
    apply, make_release, kube, namespace, get
):
    hold(kube, namespace, datetime.now(UTC) - timedelta(days=1), name=NAME, labels="{}")
    before = get(f"lease/{NAME}")

    assert apply(make_release())["changed"] is True

    assert get(f"lease/{NAME}") == before


def test_a_lease_that_no_run_made_is_not_changed_and_nothing_is_applied(
    apply, make_release, kube, namespace, get
):
    hold(kube, namespace, datetime.now(UTC) - timedelta(days=1), labels="{}")
    before = get(f"lease/{LEASE_NAME}")

    with pytest.raises(StateError, match="held by 'another-run', was not made by a deployment"):
        apply(make_release(), wait=False)

    assert get(f"lease/{LEASE_NAME}") == before
    assert get(f"deployment/{NAME}") is None


def test_another_try_of_the_same_run_already_holds_the_lease(apply, make_release):
    release = make_release()
    apply(release, wait=False, keep_lease=True)

    assert apply(release, wait=False)["changed"] is False


def test_a_failed_run_releases_the_lease(apply, make_release, get):
    with pytest.raises(RolloutFailed):
        apply(make_release(env={"MODE": "crash"}))

    assert get(f"lease/{LEASE_NAME}") is None


def deferred(apply, release, monkeypatch):
    """Applies a slow release until the step defers."""
    from airflow.sdk.exceptions import TaskDeferred
    from manifest_engine.operators.workload import apply_deployment

    monkeypatch.setattr(apply_deployment, "WATCH_SECONDS", 1.0)
    with pytest.raises(TaskDeferred) as wait:
        apply(release, wait=False, keep_lease=True)
    return wait.value


def test_a_run_that_lost_its_lease_does_not_change_the_other_rollout(
    *, apply, make_release, resume, kube, namespace, get, monkeypatch
):
    apply(make_release())
    slow = make_release(version="2", env={"MODE": "slow", "AFTER": "15"})
    wait = deferred(apply, slow, monkeypatch)
    hold(kube, namespace, datetime.now(UTC))

    with pytest.raises(StateError, match="another deployment holds the lease"):
        resume(slow, wait)

    live = get(f"deployment/{NAME}")
    assert live["metadata"]["labels"]["app.kubernetes.io/version"] == "2"
    assert get(f"lease/{LEASE_NAME}")["spec"]["holderIdentity"] == "another-run"


def test_a_run_whose_rollout_was_undone_fails(
    *, apply, make_release, resume, kube, namespace, get, monkeypatch
):
    apply(make_release())
    slow = make_release(version="2", env={"MODE": "slow", "AFTER": "15"})
    wait = deferred(apply, slow, monkeypatch)
    kube("rollout", "undo", f"deployment/{NAME}", "-n", namespace)
    kube("rollout", "status", f"deployment/{NAME}", "-n", namespace, "--timeout=60s")

    with pytest.raises(StateError, match="replaced meanwhile"):
        resume(slow, wait)

    container = get(f"deployment/{NAME}")["spec"]["template"]["spec"]["containers"][0]
    assert [item["name"] for item in container.get("env", [])] == ["SHUTDOWN_SECONDS"]
    assert get(f"lease/{LEASE_NAME}") is None


def test_a_later_removal_supersedes_a_deployment_in_its_smoke_test(
    apply, make_release, remove, get
):
    apply(make_release())
    older = make_release(version="2", env={"MODE": "ok"})
    remove(asked_at=datetime.now(UTC))
    assert get(f"deployment/{NAME}") is None

    with pytest.raises(StateError, match=r"superseded: removal-.*, asked for later by tester"):
        apply(older)

    assert get(f"deployment/{NAME}") is None
    assert "holderIdentity" not in get(f"lease/{LEASE_NAME}")["spec"]
    assert apply(make_release(version="2"))["changed"] is True
