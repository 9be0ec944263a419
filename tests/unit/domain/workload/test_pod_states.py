"""What a pod does, for the log of a task that waits for it."""

import pytest
from manifest_engine.domain.workload import pod_states

from tests.unit.domain.workload.pods import container, ended, event, pod

NO_NODE = {"type": "PodScheduled", "status": "False", "message": "0/1 nodes: Insufficient cpu."}
STARTS = {"reason": "ContainerCreating"}


@pytest.mark.parametrize(
    ("given", "state"),
    [
        (pod(conditions=[NO_NODE]), "waits: no node fits the pod: 0/1 nodes: Insufficient cpu."),
        (pod(), "waits: the scheduler has not chosen a node yet"),
        (
            pod(container(waiting=STARTS)) | {"spec": {"nodeName": "n1"}},
            "starts on node n1: pulls its image or mounts its volumes",
        ),
        (pod(container()), "runs and is not ready yet"),
        (pod(container(ready=True)), "is ready"),
        (pod(container(terminated=ended(3, message="a"))), "the service crashed with exit code 3"),
        ({"metadata": {"name": "p", "deletionTimestamp": "now"}}, "ends"),
    ],
)  # fmt: skip
def test_each_state_of_a_pod(given, state):
    assert pod_states.pod_state(given) == state


def test_a_failing_probe_is_named_with_its_answer():
    given = pod(container()) | {"spec": {"nodeName": "n1"}}
    seen = pod_states.pod_states([given], [event("Unhealthy", "statuscode: 503")])
    assert seen == {"p": "is not ready yet: statuscode: 503"}


def test_a_mount_that_fails_is_a_reason_to_wait():
    given = pod(container(waiting=STARTS)) | {"spec": {"nodeName": "n1"}}
    reason = pod_states.pending_reason(given, [event("FailedMount", "no such ConfigMap")])
    assert reason == "the pod does not start: no such ConfigMap"


@pytest.mark.parametrize(
    "given",
    [
        container(),
        container(terminated=ended(1)),
        container(waiting={"reason": "CrashLoopBackOff"}, last=ended(1)),
    ],
)
def test_a_service_that_has_started_is_not_waited_for_as_pending(given):
    started = pod(given) | {"spec": {"nodeName": "n1"}}
    assert pod_states.pending_reason(started) == ""
