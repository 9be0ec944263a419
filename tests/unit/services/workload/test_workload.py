"""The objects of a service after a failed or cancelled release."""

from __future__ import annotations

import copy

import pytest
from manifest_engine.domain.core.errors import ClusterError, ManifestError, StateError
from manifest_engine.domain.release import annotations as annotation
from manifest_engine.domain.release import history
from manifest_engine.domain.release import labels as label
from manifest_engine.domain.workload import resources
from manifest_engine.services.workload.workload import Workload

from tests.unit.domain.release.releases import DIGEST, make_release


class Empty:
    """A namespace in which somebody deleted all objects."""

    def get(self, *_what):
        return None


def test_a_rollback_without_a_deployment_says_that_nothing_runs():
    done = Workload(Empty(), "apps", "pricing-quotes").roll_back([])
    assert "The Deployment and the release before were deleted" in done
    assert "namespace 'apps'" in done


class Rollout:
    """A Deployment during or after the first rollout of a run."""

    def __init__(self, *, done):
        objects = resources.workload(make_release(run_id="mine"), DIGEST, {})
        self.live = history.carry_over(objects, None)[0]
        reason = "NewReplicaSetAvailable" if done else "ReplicaSetUpdated"
        conditions = [{"type": "Progressing", "reason": reason}]
        self.live["metadata"]["generation"] = 1
        self.live["status"] = {
            "observedGeneration": 1,
            "updatedReplicas": 1,
            "conditions": conditions,
        }
        self.deleted = []

    def get(self, _api_version, kind, *_where):
        return self.live if kind == "Deployment" else None

    def delete(self, _api_version, kind, name, _namespace):
        self.deleted.append(f"{kind} {name}")
        return True


def test_the_unfinished_rollout_of_a_cancelled_run_is_rolled_back():
    hook = Rollout(done=False)
    done = Workload(hook, "apps", "pricing-quotes").cancel("mine")
    assert done.startswith("It was the first release; removed again: Deployment")
    assert len(hook.deleted) == 1


@pytest.mark.parametrize(("run_id", "done"), [("mine", True), ("another", False)])
def test_a_complete_rollout_or_the_rollout_of_another_run_stays(run_id, done):
    hook = Rollout(done=done)
    assert Workload(hook, "apps", "pricing-quotes").cancel(run_id) == ""
    assert hook.deleted == []


def test_a_scaled_release_is_not_taken_for_an_unfinished_rollout():
    hook = Rollout(done=True)
    hook.live["metadata"]["generation"] = 2
    looks = []

    def get(_api_version, _kind, *_where):
        looks.append(1)
        hook.live["status"]["observedGeneration"] = len(looks)
        return hook.live

    hook.get = get
    assert Workload(hook, "apps", "pricing-quotes").cancel("mine") == ""
    assert len(looks) == 2
    assert hook.deleted == []


class Autoscaled:
    """A cluster whose autoscaler reacts to each change of the Deployment until it is deleted."""

    def __init__(self, objects):
        self.found = {item["kind"]: item for item in objects}
        self.refused = ""

    def get(self, _api_version, kind, *_where):
        return self.found.get(kind)

    def apply(self, an_object, *, dry_run=False, **_how):
        if self.refused:
            raise ClusterError(self.refused)
        if not dry_run:
            self.found[an_object["kind"]] = copy.deepcopy(an_object)
            if scaler := self.found.get("HorizontalPodAutoscaler"):
                self.found["Deployment"]["spec"]["replicas"] = scaler["spec"]["minReplicas"]
        return self.found[an_object["kind"]]

    def find(self, *_where, **_selectors):
        return []

    def delete(self, _api_version, kind, *_where):
        return self.found.pop(kind, None) is not None


def autoscaled():
    scale = {"minReplicas": 2, "maxReplicas": 3}
    return history.carry_over(resources.workload(make_release(autoscale=scale), DIGEST, {}), None)


def test_a_removed_autoscaler_does_not_overwrite_the_number_of_replicas(monkeypatch):
    monkeypatch.setattr("manifest_engine.services.workload.workload.AUTOSCALER_SECONDS", 0)
    live = autoscaled()
    hook = Autoscaled(live)
    fixed = resources.workload(make_release(version="2", replicas=1), DIGEST, {})

    Workload(hook, "apps", "pricing-quotes").apply(history.carry_over(fixed, live[0]), live[0])

    assert hook.found["Deployment"]["spec"]["replicas"] == 1
    assert "HorizontalPodAutoscaler" not in hook.found


def test_the_autoscaler_stays_when_the_release_without_autoscaler_is_refused():
    live = autoscaled()
    hook = Autoscaled(live)
    hook.refused = "denied by a policy"
    fixed = resources.workload(make_release(version="2", replicas=1), DIGEST, {})

    with pytest.raises(ClusterError, match="denied by a policy"):
        Workload(hook, "apps", "pricing-quotes").apply(history.carry_over(fixed, live[0]), live[0])

    assert "HorizontalPodAutoscaler" in hook.found


def test_only_the_failed_release_is_rolled_back():
    hook = Rollout(done=False)
    failed = resources.workload(make_release(version="2.0"), DIGEST, {})
    with pytest.raises(StateError, match="live is that of run mine, asked for by ada"):
        Workload(hook, "apps", "pricing-quotes").roll_back(
            failed, release_hash=annotation.read_annotations(failed[0])[annotation.RELEASE_HASH]
        )
    assert hook.deleted == []


def test_a_release_is_not_applied_over_another_service_of_the_same_object_name():
    """Two runs that were planned at the same moment both found the name free."""
    hook = Rollout(done=True)
    labels = hook.live["metadata"]["labels"]
    labels |= {label.COMPONENT: "pricing-quotes", label.NAME: "other"}
    ours = resources.workload(make_release(run_id="ours"), DIGEST, {})
    with pytest.raises(ManifestError, match="is the service 'other' of component"):
        Workload(hook, "apps", "pricing-quotes").apply(ours, hook.live)
