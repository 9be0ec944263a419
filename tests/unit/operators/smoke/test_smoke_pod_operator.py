"""The smoke pod as the pod operator creates it, and its deletion afterwards."""

from contextlib import nullcontext
from types import SimpleNamespace

import pytest
from manifest_engine.domain.core.errors import Cancelled, ClusterError, SmokeTestFailed, StateError
from manifest_engine.operators.smoke.smoke_pod_operator import SmokePodOperator
from manifest_engine.operators.smoke.smoke_test import SmokeTest

from tests.unit.domain.release.releases import DIGEST, make_release
from tests.unit.operators.smoke.smoke_cluster import Cluster, as_json, run_in, task


def pod(**fields):
    return as_json(task(**fields).build_pod_request_obj(dry_run=True))


def test_the_pod_is_a_pod_of_the_deployment_that_runs_once():
    from manifest_engine.domain.workload import resources

    fields = {"env": {"A": "b"}, "secretEnv": {"S": "s/k"}, "cluster": {"nodeSelector": {"n": "m"}}}
    smoke = pod(**fields)["spec"]
    deployed = resources.workload(make_release(**fields), DIGEST, {})[0]["spec"]["template"]["spec"]
    (service,), (expected,) = smoke["containers"], deployed["containers"]
    for probe in ("startupProbe", "livenessProbe"):
        del expected[probe]["terminationGracePeriodSeconds"]  # longer than that of the smoke pod
    expected["startupProbe"]["failureThreshold"] += 30  # the smoke test ends first
    assert service.items() >= {k: v for k, v in expected.items() if k != "lifecycle"}.items()
    assert smoke["restartPolicy"] == "Never"
    assert not smoke["initContainers"]
    own = {"containers", "terminationGracePeriodSeconds"}
    assert smoke.items() >= {k: v for k, v in deployed.items() if k not in own}.items()


def test_a_forgotten_pod_has_a_deadline():
    spec = pod(startupSeconds=90, smokeTest={"timeoutSeconds": 30})["spec"]
    assert spec["activeDeadlineSeconds"] == 240 + 90 + 30 + 60
    assert spec["terminationGracePeriodSeconds"] == 1


def test_the_pod_is_named_after_the_service_and_found_by_it():
    metadata = pod()["metadata"]
    assert metadata["name"].startswith("pricing-quotes-smoke-")
    assert metadata["namespace"] == "apps"
    assert metadata["labels"]["manifest-engine.io/smoke-test-of"] == "pricing-quotes"


def test_a_long_name_still_makes_a_valid_pod_name():
    made = pod(component="a" * 31, serviceName="b" * 31)
    assert len(made["metadata"]["name"]) <= 63


def test_without_a_digest_nothing_is_started():
    made = SmokePodOperator(task_id="smoke_test", release=make_release().dump(), push=None)
    with pytest.raises(StateError, match="push_image"):
        made.build_pod_request_obj(dry_run=True)


@pytest.mark.parametrize(("moment", "created"), [("find", 0), ("create", 1), ("answer", 1)])
def test_a_task_cancelled_during_the_creation_leaves_no_pod(moment, created):
    made = task()
    cluster = Cluster(**{moment: made.on_kill})
    with pytest.raises(Cancelled):
        run_in(cluster, made)
    assert (cluster.created, cluster.pods) == (created, set())


def test_a_pod_is_deleted_when_the_answer_to_its_creation_is_lost():
    def lost():
        raise ClusterError("The API server could not be reached.", retryable=True)

    cluster = Cluster(answer=lost)
    with pytest.raises(ClusterError):
        run_in(cluster, task())
    assert (cluster.created, cluster.pods) == (1, set())


def test_a_task_without_a_verdict_fails(monkeypatch):
    made = task()
    made.hook = SimpleNamespace(api=SimpleNamespace(explained=lambda _: nullcontext()))
    monkeypatch.setattr(SmokePodOperator, "execute_sync", lambda *_: None)
    with pytest.raises(SmokeTestFailed, match="deleted before it gave a verdict") as raised:
        made.test({"ti": SimpleNamespace(xcom_push=lambda **_: None)})
    assert raised.value.retryable


def test_a_task_cancelled_before_its_start_creates_no_pod(monkeypatch):
    step = SmokeTest(task_id="smoke_test", release={}, push={})
    monkeypatch.setattr(SmokePodOperator, "test", lambda *_: pytest.fail("the pod was started"))
    step.on_kill()
    with pytest.raises(Cancelled):
        step.run({})
