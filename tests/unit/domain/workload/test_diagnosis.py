"""Why a pod does not come up, in one sentence."""

import pytest
from manifest_engine.domain.core import printable
from manifest_engine.domain.workload import diagnosis

from tests.unit.domain.workload.pods import container, ended, event, pod


def test_a_healthy_pod_gives_no_finding():
    assert diagnosis.of_pod(pod(container(ready=True))) is None


def test_a_crash_is_reported_with_exit_code_and_last_log_lines():
    given = container(waiting={"reason": "CrashLoopBackOff"}, last=ended(3, message="a\nb\n"))
    found = diagnosis.of_container(given)
    assert found.sentence == (
        "the service crashed with exit code 3. The service's last log lines:\na\nb"
    )
    assert found.retryable is False


@pytest.mark.parametrize(("restarts", "final"), [(0, False), (1, False), (2, True)])
def test_a_crash_is_final_when_three_starts_have_failed(restarts, final):
    given = container(terminated=ended(1), restarts=restarts)
    assert diagnosis.of_container(given).final is final


@pytest.mark.parametrize(
    "last", [ended(1), ended(0, reason="Completed"), ended(137, reason="OOMKilled")]
)
def test_a_running_container_may_still_come_up_after_earlier_crashes(last):
    """For example, its database was unavailable during the first two starts."""
    found = diagnosis.of_container(container(last=last, restarts=2))
    assert found.final is False


def test_a_container_that_waits_for_its_fourth_start_is_final():
    given = container(waiting={"reason": "CrashLoopBackOff"}, last=ended(1), restarts=2)
    assert diagnosis.of_container(given).final


@pytest.mark.parametrize("reason", ["ContainerCreating", "PodInitializing"])
def test_a_container_that_a_returning_node_creates_again_is_not_final(reason):
    given = container(waiting={"reason": reason}, last=ended(255), restarts=9)
    assert diagnosis.of_container(given).final is False


def test_a_ready_pod_gives_no_finding_after_earlier_crashes():
    given = container(ready=True, last=ended(137, reason="OOMKilled"), restarts=7)
    events = [event("Unhealthy", "statuscode: 503"), event("FailedMount", "timed out")]
    assert diagnosis.of_container(given) is None
    assert diagnosis.of_pod(pod(given), events) is None


def test_out_of_memory_is_reported_in_place_of_exit_code_137():
    given = container(terminated=ended(137, reason="OOMKilled"))
    assert "more memory than its limit" in diagnosis.of_container(given).sentence


def test_a_missing_secret_is_final_at_once():
    waiting = {"reason": "CreateContainerConfigError", "message": 'secret "db" not found'}
    found = diagnosis.of_container(container(waiting=waiting))
    assert 'secret "db" not found' in found.sentence
    assert found.final


HICCUPS = [
    (
        "CreateContainerConfigError",
        "failed to sync secret cache: timed out waiting for the condition",
    ),
    (
        "CreateContainerConfigError",
        "failed to sync configmap cache: timed out waiting for the condition",
    ),
    (
        "CreateContainerConfigError",
        "services have not yet been read at least once, cannot construct envvars",
    ),
    ("CreateContainerError", "context deadline exceeded"),
    (
        "CreateContainerError",
        'failed to reserve container name "app_q-1_apps_37b2_0": name "app_q-1_apps_37b2_0" is '
        'reserved for "7c54f31e3fc8"',
    ),
    (
        "RunContainerError",
        "failed to create containerd task: failed to create shim task: context deadline exceeded: "
        "unknown",
    ),
]


@pytest.mark.parametrize(("reason", "message"), HICCUPS)
def test_a_slow_node_is_transient(reason, message):
    given = container(waiting={"reason": reason, "message": message}, last=ended(1), restarts=2)
    found = diagnosis.of_container(given)
    assert (found.final, found.retryable) == (False, True)
    assert message in found.sentence


def test_a_failed_start_on_a_slow_node_is_retryable():
    late = ended(128, reason="StartError", message="context deadline exceeded")
    found = diagnosis.of_container(container(terminated=late))
    assert (found.final, found.retryable) == (False, True)


@pytest.mark.parametrize(
    "message",
    [
        'exec: "gunicorn": executable file not found in $PATH',
        # runc's message for a memory limit that is too small.
        "getting the final child's pid from pipe caused: EOF",
        "read init-p: connection reset by peer",
    ],
)
def test_a_container_that_cannot_be_started_is_final_at_once(message):
    unstarted = ended(128, reason="StartError", message=message)
    waiting = {"reason": "RunContainerError", "message": message}
    for given in (container(terminated=unstarted), container(waiting=waiting, last=unstarted)):
        found = diagnosis.of_container(given)
        assert found.sentence.startswith(f"the container cannot be started: {message}")
        assert (found.final, found.retryable) == (True, False)


@pytest.mark.parametrize(
    ("message", "advice"),
    [
        ('exec: "./run.sh": permission denied', "the file is not executable: run chmod +x"),
        ('exec: "./run.sh": no such file or directory', "the lines of a script often end in CRLF"),
        ('exec: "gunicorn": executable file not found in $PATH', "install the program"),
    ],
)
def test_a_command_that_cannot_be_executed_is_explained(message, advice):
    waiting = {"reason": "RunContainerError", "message": message}
    assert advice in diagnosis.of_container(container(waiting=waiting)).sentence


def test_a_failing_probe_is_reported_with_its_answer():
    events = [
        event("Unhealthy", "old", at="2026-01-01T00:00:00Z"),
        event("Unhealthy", "HTTP probe failed with statuscode: 500", at="2026-01-01T00:00:09Z"),
    ]
    found = diagnosis.of_pod(pod(container()), events)
    assert found.sentence == (
        "the service does not become ready: HTTP probe failed with statuscode: 500"
    )


def test_an_answer_to_a_probe_is_preferred_over_a_later_refused_connection():
    events = [
        event("Unhealthy", "statuscode: 418", at="2026-01-01T00:00:01Z"),
        event("Unhealthy", "connect: connection refused", at="2026-01-01T00:00:09Z"),
    ]
    assert "418" in diagnosis.of_pod(pod(container()), events).sentence


def test_a_running_container_that_its_probe_stopped_twice_is_final():
    found = diagnosis.of_container(container(last=ended(143), restarts=2))
    assert "stopped by a signal" in found.sentence
    assert found.final


def test_a_container_stopped_for_its_probe_has_not_crashed():
    stopped = container(last=ended(143), restarts=2)
    found = diagnosis.of_pod(pod(stopped), [event("Unhealthy", "statuscode: 418")])
    assert "418" in found.sentence
    assert found.final


def test_an_unschedulable_pod_repeats_the_scheduler_message():
    condition = {
        "type": "PodScheduled",
        "status": "False",
        "message": "0/3 nodes: Insufficient cpu",
    }
    found = diagnosis.of_pod(pod(phase="Pending", conditions=[condition]))
    assert "Insufficient cpu" in found.sentence
    assert found.retryable


@pytest.mark.parametrize(
    ("reason", "hint"),
    [
        ("had untolerated taint {node.kubernetes.io/disk-pressure: }", "a node's disk is full:"),
        ("had untolerated taint {node.kubernetes.io/memory-pressure: }", "memory is used up"),
        ("had untolerated taint(s)", "kubectl describe nodes shows the taints"),
        ("were unschedulable", "a node is cordoned"),
    ],
)
def test_an_unschedulable_pod_explains_the_state_of_the_nodes(reason, hint):
    """:source: kubernetes 1.34.0 and 1.36.3, plugins tainttoleration and nodeunschedulable."""
    message = (
        f"0/1 nodes are available: 1 node(s) {reason}. no new claims to deallocate, preemption: "
        "0/1 nodes are available: 1 Preemption is not helpful for scheduling."
    )
    condition = {"type": "PodScheduled", "status": "False", "message": message}
    found = diagnosis.of_pod(pod(phase="Pending", conditions=[condition]))
    assert f"{reason}; " in found.sentence
    assert hint in found.sentence


def test_events_of_other_pods_do_not_count():
    assert diagnosis.of_pod(pod(container()), [event("Unhealthy", "x", name="q")]) is None


def test_pods_that_cannot_be_created_are_reported_from_the_deployment():
    def refused(message):
        condition = {"type": "ReplicaFailure", "status": "True", "message": message}
        return diagnosis.of_creation({"status": {"conditions": [condition]}})

    assert "quota" in refused("pods is forbidden: exceeded quota: small").sentence
    assert refused("exceeded quota").retryable
    assert refused("admission webhook denied the request").final


def test_the_finding_closest_to_the_cause_is_chosen_among_pods():
    crashed = pod(container(terminated=ended(1), restarts=3), name="a")
    waiting = pod(phase="Pending", conditions=[], name="b")
    assert "exit code 1" in diagnosis.of_pods([waiting, crashed]).sentence


def test_pod_logs_are_made_printable_and_bounded():
    message = "\0\x1b]0;x\x07\ud83d" + "x" * 1_000_000 + "\nlast"
    found = diagnosis.of_container(container(last=ended(1, message=message), restarts=1))
    assert found is not None
    assert printable.unprintable(found.sentence) is None
    assert len(found.sentence) < 1000
    assert found.sentence.endswith("\nlast")


def crashed_pod(*, unready_at, started_at="2026-01-01T00:00:05Z", code=1, reason="Error"):
    """A pod whose container ended and runs again, and which is not ready since ``unready_at``."""
    last = ended(code, reason=reason, message="lost the database") | {"startedAt": started_at}
    condition = {"type": "Ready", "status": "False", "lastTransitionTime": unready_at}
    return pod(container(last=last, restarts=1), conditions=[condition])


def test_a_first_crash_of_a_pod_that_had_been_ready_is_final():
    given = crashed_pod(unready_at="2026-01-01T00:00:13Z")
    found = diagnosis.of_pod(given, must_stay_up=True)
    assert found.final
    assert found.sentence == (
        "after the pod had been ready, the service crashed with exit code 1. "
        "The service's last log lines:\nlost the database"
    )
    assert found.pod == "p"
    assert not diagnosis.of_pod(given).final, "not in a rollout"


@pytest.mark.parametrize(
    ("given", "final"),
    [
        (crashed_pod(unready_at="2026-01-01T00:00:01Z"), False),  # never ready
        (crashed_pod(unready_at="2026-01-01T00:00:13Z", code=143), False),
        (crashed_pod(unready_at="2026-01-01T00:00:13Z", code=137, reason="OOMKilled"), True),
        (crashed_pod(unready_at="2026-01-01T00:00:13Z", code=0, reason="Completed"), True),
    ],
)
def test_other_ends_of_a_pod_in_a_rollout(given, final):
    assert diagnosis.of_pod(given, must_stay_up=True).final is final


def test_a_probe_that_meets_the_next_start_after_a_crash_is_not_final():
    given = pod(container(last=ended(3), restarts=2))
    found = diagnosis.of_pod(given, [event("Unhealthy", "connection refused")])
    assert "exit code 3" in found.sentence
    assert not found.final


def test_a_restart_since_the_pod_was_ready_is_a_crash_although_the_pod_is_ready_again():
    pod = crashed_pod(unready_at="2026-01-01T00:00:09Z")
    (container,) = pod["status"]["containerStatuses"]
    container |= {"ready": True, "restartCount": 2}
    name = f"{pod['metadata']['name']}/{container['name']}"
    assert diagnosis.of_pods([pod], restarts={name: 2}) is None
    assert diagnosis.of_pods([pod], restarts={}) is None
    found = diagnosis.of_pods([pod], restarts={name: 1})
    assert found
    assert found.final
    assert found.sentence.startswith("after the pod had been ready, the service crashed")
