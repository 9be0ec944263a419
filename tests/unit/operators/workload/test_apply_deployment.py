"""``apply_deployment`` leaves the changes of other runs and of people alone."""

from __future__ import annotations

import logging
import time
from types import SimpleNamespace

import pytest
from airflow.sdk.exceptions import TaskDeferred
from manifest_engine.domain.core.errors import ClusterError, RolloutFailed, StateError
from manifest_engine.domain.release import annotations as annotation
from manifest_engine.domain.workload import resources
from manifest_engine.domain.workload.rollout import Done, Waiting
from manifest_engine.operators.workload.apply_deployment import ApplyDeployment
from manifest_engine.operators.workload.rollout_trigger import RolloutTrigger
from manifest_engine.services.workload import workload as workloads
from manifest_engine.services.workload.workload import Workload

from tests.unit.domain.release.releases import DIGEST, make_release

RELEASE = make_release()
VERDICT = {
    "digest": DIGEST,
    "runId": RELEASE.run_id,
    "asked": "/health",
    "status": 200,
    "ok": True,
    "seconds": 0.1,
}


def deployment(*, available, **fields):
    """A live Deployment during or after its rollout."""
    made = resources.workload(make_release(**fields), DIGEST, {"sha256": "a" * 64})[0]
    pods = {"updatedReplicas": 2, "replicas": 2, "availableReplicas": available}
    made["metadata"]["generation"] = 2
    return made | {"status": {"observedGeneration": 2, **pods}}


class Cluster:
    """A cluster with one Deployment; records writes."""

    def __init__(self, live):
        self.live = live
        self.written = []

    def get(self, _api_version, kind, *_where):
        return self.live if kind == "Deployment" else None

    def find(self, *_what, **_selectors):
        return []

    def apply(self, an_object, **_how):
        self.written.append(an_object["kind"])
        return an_object

    def delete(self, _api_version, kind, *_where):
        self.written.append(kind)
        return True


class Lease:
    """A lease that this run holds, or lost to another run."""

    def __init__(self, problem=None):
        self.problem = problem
        self.released = False

    def hold(self):
        if self.problem:
            raise self.problem

    renew = hold

    def release(self):
        self.released = True


CONTEXT = {
    "ti": SimpleNamespace(xcom_push=lambda **_value: None),
    "dag_run": SimpleNamespace(run_type="manual", triggering_user_name="ada"),
}


def step(monkeypatch, live, lease=None):
    """The step and the cluster with the given live Deployment."""
    cluster = Cluster(live)
    task = ApplyDeployment(
        task_id="apply",
        release=RELEASE.dump(),
        artifact={"sha256": "a" * 64},
        push={"digest": DIGEST},
        verdict=VERDICT,
    )
    workload = Workload(cluster, "apps", RELEASE.name, log=logging.getLogger("test"))
    monkeypatch.setattr(task, "service", lambda _release: (workload, lease or Lease()))
    return task, cluster


def complete(monkeypatch, live, lease=None, *, event="time is over", **known):
    """Ends the step after its wait.

    :param event: state of the trigger's event.
    :param known: what else was seen as it began.
    """
    task, cluster = step(monkeypatch, live, lease)
    applied = resources.workload(RELEASE, DIGEST, {"sha256": "a" * 64})[0]
    begun = {
        "began": 0.0,
        "generation": 2,
        "changed": True,
        "releaseHash": annotation.read_annotations(applied)[annotation.RELEASE_HASH],
    } | known

    def run():
        return task.execute_complete(CONTEXT, {"state": event}, begun)

    return run, cluster


@pytest.mark.parametrize(("seconds", "ends_by"), [(60, TaskDeferred), (-1, RolloutFailed)])
def test_pods_that_are_gone_when_the_task_comes_back_are_waited_for_in_the_time_of_the_rollout(
    monkeypatch, seconds, ends_by
):
    deadline = time.time() + seconds
    run, _ = complete(monkeypatch, deployment(available=0), event="settled", deadline=deadline)
    with pytest.raises(ends_by):
        run()


def test_nothing_is_applied_before_the_controller_observed_the_latest_change(monkeypatch):
    """A release that somebody scales must not be taken for a failed release."""
    monkeypatch.setattr(workloads, "OBSERVED_SECONDS", 0.05)
    live = deployment(available=2)
    live["metadata"]["generation"] += 1
    task, cluster = step(monkeypatch, live)
    monkeypatch.setattr(task, "acquire", lambda *_: None)
    with pytest.raises(ClusterError, match="has not observed the latest change") as raised:
        task.run(CONTEXT)
    assert raised.value.retryable
    assert cluster.written == []


def test_the_rollout_of_another_run_is_not_rolled_back(monkeypatch):
    live = deployment(available=0, version="2.0", run_id="other")
    run, cluster = complete(monkeypatch, live)
    with pytest.raises(StateError, match="live is that of run other") as stopped:
        run()
    assert not stopped.value.retryable
    assert cluster.written == []


def test_a_release_replaced_by_another_run_or_a_person_fails(monkeypatch):
    run, cluster = complete(monkeypatch, deployment(available=2, version="0.9", run_id="before"))
    with pytest.raises(StateError, match="replaced meanwhile"):
        run()
    assert cluster.written == []


def test_without_the_lease_the_rollout_is_not_judged(monkeypatch):
    lease = Lease(StateError("Another deployment has taken it."))
    run, cluster = complete(monkeypatch, deployment(available=0), lease)
    with pytest.raises(StateError, match="has taken it"):
        run()
    assert cluster.written == []


def test_the_same_release_applied_by_another_run_is_judged(monkeypatch):
    run, _ = complete(monkeypatch, deployment(available=2, run_id="earlier"))
    assert run()["replicas"] == 2


def test_a_failed_release_of_this_run_is_rolled_back(monkeypatch):
    live = deployment(available=0)
    live["metadata"]["annotations"][annotation.FIRST] = "true"
    run, cluster = complete(monkeypatch, live)
    with pytest.raises(RolloutFailed, match="first release; removed again"):
        run()
    assert "Deployment" in cluster.written


def test_a_release_that_was_live_before_stays_although_pods_are_unavailable(monkeypatch):
    live = deployment(available=1)
    live["metadata"]["annotations"][annotation.FIRST] = "true"
    run, cluster = complete(monkeypatch, live, changed=False, stood=True)
    with pytest.raises(RolloutFailed, match="live before this run and is not rolled back"):
        run()
    assert cluster.written == []


def trigger(status, lease):
    made = RolloutTrigger(
        conn_id="aks",
        namespace="apps",
        name="pricing-quotes",
        deadline=0.0,
        generation=2,
        run_id="run-1",
        requested_by="ada",
        release_hash="hash",
    )

    def look(generation, release_hash):
        assert (generation, release_hash) == (2, "hash")
        if isinstance(status, Exception):
            raise status
        return status

    made._service = SimpleNamespace(rollout=SimpleNamespace(look=look)), lease
    return made


@pytest.mark.parametrize(
    ("status", "lease", "settled"),
    [
        (Waiting("1 of 2"), Lease(), False),
        (Done(2), Lease(), True),
        (Waiting("1 of 2"), Lease(StateError("Taken.")), True),
        (StateError("Replaced."), Lease(), True),
    ],
)
def test_the_wait_ends_when_another_run_holds_the_lease_or_another_release_is_live(
    status, lease, settled
):
    assert trigger(status, lease).settled(None) is settled


def test_a_stored_trigger_keeps_its_release():
    made = trigger(Done(2), Lease())
    _, arguments = made.serialize()
    assert RolloutTrigger(**arguments).arguments() == made.arguments()
    assert arguments["release_hash"] == "hash"
