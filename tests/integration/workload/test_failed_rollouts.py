"""Releases that do not start are rolled back, and the error has the reason."""

from __future__ import annotations

import pytest
from manifest_engine.domain.core import printable
from manifest_engine.domain.core.errors import RolloutFailed
from manifest_engine.domain.release import history
from manifest_engine.domain.workload import resources
from manifest_engine.hooks.kubernetes.cluster import ClusterHook
from manifest_engine.services.workload.workload import Workload

from tests.integration.names import NAME


def test_a_crashing_update_is_rolled_back_with_the_reason(apply, make_release, get):
    apply(make_release(replicas=2))

    with pytest.raises(RolloutFailed) as raised:
        apply(make_release(replicas=2, version="2", env={"MODE": "crash"}))

    assert "exit code 3" in str(raised.value)
    assert "cannot open the price list" in str(raised.value)
    assert "Rolled back to version 1" in str(raised.value)
    deployment = get(f"deployment/{NAME}")
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    assert "MODE" not in {variable["name"] for variable in container["env"]}
    assert deployment["metadata"]["labels"]["app.kubernetes.io/version"] == "1"
    assert deployment["status"]["availableReplicas"] == 2


def test_the_output_of_a_crashing_update_is_printable_in_the_error(apply, make_release):
    apply(make_release(replicas=1))

    with pytest.raises(RolloutFailed) as raised:
        apply(make_release(replicas=1, version="2", env={"MODE": "crash-noisily"}))

    said = str(raised.value)
    assert "exit code 3" in said
    assert "Rolled back to version 1" in said
    assert printable.unprintable(said) is None
    assert len(said) < 4000


def test_a_rollback_restores_the_whole_release_and_prunes_added_objects(apply, make_release, get):
    apply(make_release(replicas=1, env={"TEXT": "first"}))
    scale = {"minReplicas": 2, "maxReplicas": 3}

    with pytest.raises(RolloutFailed):
        apply(make_release(version="2", autoscale=scale, env={"MODE": "crash"}))

    deployment = get(f"deployment/{NAME}")
    assert deployment["spec"]["replicas"] == 1
    variables = deployment["spec"]["template"]["spec"]["containers"][0]["env"]
    assert {"name": "TEXT", "value": "first"} in variables
    assert "MODE" not in {variable["name"] for variable in variables}
    assert get(f"poddisruptionbudget/{NAME}") is None
    assert get(f"horizontalpodautoscaler/{NAME}") is None


def test_a_failed_first_release_is_removed(apply, make_release, kube, namespace):
    with pytest.raises(RolloutFailed, match="first release"):
        apply(make_release(replicas=2, env={"MODE": "crash"}))

    kinds = "deployments,services,poddisruptionbudgets"
    assert kube("get", kinds, "-n", namespace, "-o", "name").strip() == ""


def test_the_error_for_a_pod_that_never_gets_ready_has_the_answer_to_the_probe(apply, make_release):
    with pytest.raises(RolloutFailed) as raised:
        apply(make_release(env={"MODE": "unhealthy"}, startupSeconds=3))

    assert "Startup probe failed: HTTP probe failed with statuscode: 418" in str(raised.value)


def test_a_rollback_to_an_autoscaled_release_keeps_its_number_of_pods(
    apply, make_release, get, replicas_seen
):
    apply(make_release(autoscale={"minReplicas": 2, "maxReplicas": 4}))

    with replicas_seen() as seen, pytest.raises(RolloutFailed, match="Rolled back to version 1"):
        apply(make_release(version="2", replicas=3, env={"MODE": "crash"}))

    assert get(f"horizontalpodautoscaler/{NAME}")
    assert set(seen) == {2, 3}


def test_a_cancelled_run_keeps_the_number_of_pods_of_an_autoscaled_release(
    apply, make_release, digest, namespace, replicas_seen
):
    apply(make_release(autoscale={"minReplicas": 2, "maxReplicas": 4}))
    failing = make_release(version="2", replicas=3, env={"MODE": "crash"})
    workload = Workload(ClusterHook("kubernetes_default"), namespace, NAME)
    live = workload.live()
    workload.apply(history.carry_over(resources.workload(failing, digest, {}), live), live)

    with replicas_seen() as seen:
        assert workload.cancel(failing.run_id) == "Rolled back to version 1."

    assert set(seen) <= {2, 3}
