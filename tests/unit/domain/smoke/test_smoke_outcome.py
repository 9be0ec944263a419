"""Errors for a smoke pod without a verdict."""

from manifest_engine.domain.smoke import outcome as smoke_outcome


def pod(app, **status):
    seen = {"name": "app", "state": app, "ready": "running" in app, "restartCount": 0}
    return {
        "metadata": {"name": "quotes-smoke-1"},
        "status": {"phase": "Running", "containerStatuses": [seen]} | status,
    }


def test_a_service_runs_when_its_pod_has_an_address():
    assert not smoke_outcome.runs(pod({"waiting": {}}, podIP="10.0.0.1"))
    assert not smoke_outcome.runs(pod({"running": {}}))
    assert smoke_outcome.runs(pod({"running": {}}, podIP="10.0.0.1"))


def test_a_service_that_a_probe_ended_is_told_from_one_that_was_killed_for_its_memory():
    assert smoke_outcome.was_stopped(pod({"terminated": {"exitCode": 137, "reason": "Error"}}))
    assert not smoke_outcome.was_stopped(
        pod({"terminated": {"exitCode": 137, "reason": "OOMKilled"}})
    )
    assert not smoke_outcome.was_stopped(pod({"terminated": {"exitCode": 1}}))


def test_a_service_that_never_started_is_reported():
    message = "failed to sync secret cache: timed out waiting for the condition"
    waiting = {"waiting": {"reason": "CreateContainerConfigError", "message": message}}
    error = smoke_outcome.not_started(pod(waiting), [], 240)
    assert message in str(error)
    assert not error.retryable, "a retry would wait as long again"


def test_a_pod_that_was_never_seen_has_no_reason():
    error = smoke_outcome.not_started({}, [], 240)
    assert str(error).endswith(
        "did not start in 240 s (cluster.pendingSeconds): it gave no reason."
    )


def test_a_transient_node_error_is_waited_for():
    hiccup = {"reason": "CreateContainerError", "message": "context deadline exceeded"}
    assert smoke_outcome.final_finding(pod({"waiting": hiccup})) is None


def test_a_missing_secret_is_not_waited_for():
    missing = {"reason": "CreateContainerConfigError", "message": 'secret "db" not found'}
    found = smoke_outcome.final_finding(pod({"waiting": missing}))
    assert 'secret "db" not found' in found.sentence
    assert not found.retryable
