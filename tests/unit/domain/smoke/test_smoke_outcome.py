"""Errors for a smoke pod without a verdict."""

from manifest_engine.domain.smoke import outcome as smoke_outcome


def pod(*, app, prober, ready=True):
    statuses = [
        {"name": name, "state": state, "ready": ready and "running" in state, "restartCount": 0}
        for name, state in (("prober", prober), ("app", app))
    ]
    return {
        "metadata": {"name": "quotes-smoke-1"},
        "spec": {"nodeName": "aks-agentpool-1"},
        "status": {"phase": "Running", "containerStatuses": statuses},
    }


def event(reason, message):
    return {
        "type": "Warning",
        "reason": reason,
        "message": message,
        "involvedObject": {"name": "quotes-smoke-1"},
    }


def test_a_running_prober_without_a_verdict_points_to_its_node():
    silent = pod(app={"running": {}}, prober={"running": {}})
    gone_quiet = [event("NodeNotReady", "Node is not ready")]
    for events in ([], gone_quiet):
        error = smoke_outcome.no_verdict_in_time(silent, events)
        assert str(error) == (
            "The smoke test's pod runs on node aks-agentpool-1, but did not report in "
            "time; see 'kubectl describe node aks-agentpool-1'."
        )
        assert error.retryable


def test_a_service_that_never_started_is_reported():
    message = "failed to sync secret cache: timed out waiting for the condition"
    waiting = {"waiting": {"reason": "CreateContainerConfigError", "message": message}}
    error = smoke_outcome.no_verdict_in_time(pod(app=waiting, prober={"running": {}}), [])
    assert message in str(error)
    assert error.retryable


def test_a_pod_that_was_never_seen_has_no_reason():
    error = smoke_outcome.no_verdict_in_time({}, [])
    assert str(error).endswith("did not start in 300 s: it gave no reason.")


def test_a_transient_node_error_is_waited_for():
    hiccup = {"reason": "CreateContainerError", "message": "context deadline exceeded"}
    waits = pod(app={"waiting": hiccup}, prober={"running": {}})
    assert smoke_outcome.final_finding(waits) is None


def test_a_missing_secret_is_not_waited_for():
    missing = {"reason": "CreateContainerConfigError", "message": 'secret "db" not found'}
    found = smoke_outcome.final_finding(pod(app={"waiting": missing}, prober={"running": {}}))
    assert 'secret "db" not found' in found.sentence
    assert not found.retryable
