"""kubectl's rules for the status of a rollout, in kubectl's order."""

import pytest
from manifest_engine.domain.workload.rollout import Done, Failed, Serving, Waiting, is_over, status


def deployment(*, generation=2, observed=2, desired=2, reason="ReplicaSetUpdated", **counts):
    condition = {"type": "Progressing", "status": "True", "reason": reason}
    names = {"updated": "updatedReplicas", "existing": "replicas", "available": "availableReplicas"}
    names["ready"] = "readyReplicas"
    return {
        "metadata": {"generation": generation},
        "spec": {"replicas": desired, "progressDeadlineSeconds": 90},
        "status": {"observedGeneration": observed, "conditions": [condition]}
        | {names[key]: value for key, value in counts.items()},
    }


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"observed": 1, "updated": 2, "existing": 2, "available": 2}, "has not seen"),
        ({"updated": 1, "existing": 3, "available": 2}, "1 of 2 new pods have been made"),
        ({"updated": 2, "existing": 3, "available": 3}, "1 old pods have yet to go"),
        ({"updated": 2, "existing": 2, "available": 1}, "1 of 2 new pods are available"),
        ({}, "0 of 2 new pods have been made"),
    ],
)
def test_a_rollout_waits_for_updated_and_available_pods(given, text):
    found = status(deployment(**given))
    assert isinstance(found, Waiting)
    assert text in found.text


def test_a_rollout_is_done_when_all_pods_are_new_and_available():
    assert status(deployment(updated=2, existing=2, available=2)) == Done(2)


@pytest.mark.parametrize(("ready", "serving"), [(4, True), (3, False)])
def test_new_pods_serve_beside_the_old_ones_when_all_are_ready(ready, serving):
    found = status(deployment(updated=2, existing=4, available=2, ready=ready))
    assert isinstance(found, Serving) is serving
    assert is_over(found, until_serving=True) is serving
    assert not is_over(found)


def test_new_pods_do_not_serve_before_all_of_them_are_made():
    found = status(deployment(updated=1, existing=3, available=2, ready=3))
    assert not isinstance(found, Serving)


def test_an_exceeded_progress_deadline_fails_first():
    given = deployment(reason="ProgressDeadlineExceeded", updated=2, existing=2, available=2)
    assert status(given) == Failed("no progress for 90 s (progressDeadlineSeconds)")


def test_a_deadline_of_an_older_generation_does_not_count():
    found = status(deployment(observed=1, reason="ProgressDeadlineExceeded"))
    assert isinstance(found, Waiting)


def test_zero_replicas_are_done_at_once():
    assert status(deployment(desired=0)) == Done(0)


def paused(**counts):
    found = deployment(**counts)
    found["metadata"] |= {"name": "pricing-quotes", "namespace": "apps"}
    found["spec"]["paused"] = True
    return found


@pytest.mark.parametrize(
    "given",
    [
        {"existing": 2, "available": 2},
        {"updated": 1, "existing": 3, "available": 3},
        {"updated": 2, "existing": 3, "available": 3},
        # The condition is from before the pause; the controller keeps it.
        {"reason": "ProgressDeadlineExceeded", "existing": 2},
    ],
)
def test_a_paused_deployment_fails(given):
    found = status(paused(**given))
    assert isinstance(found, Failed)
    assert "is paused" in found.reason
    assert "'kubectl rollout resume deployment/pricing-quotes -n apps', and deploy again" in (
        found.reason
    )


def test_a_pause_after_all_pods_are_created_is_ignored():
    assert status(paused(updated=2, existing=2, available=2)) == Done(2)
    assert isinstance(status(paused(updated=2, existing=2, available=1)), Waiting)


def test_a_pause_that_the_controller_has_not_seen_is_waited_for():
    assert isinstance(status(paused(observed=1)), Waiting)
