"""The result of a smoke test follows from the pod's status, the prober's log and the pod's end."""

from types import SimpleNamespace

import pytest
from manifest_engine.domain.core.errors import ClusterError, SmokeTestFailed, StateError
from manifest_engine.hooks.kubernetes import pod_evidence

from tests.unit.operators.smoke.smoke_cluster import Cluster, run_in, task, verdict


@pytest.fixture
def logged(monkeypatch):
    """The first line of the prober's log, and the number of reads."""
    given = SimpleNamespace(line="", asked=0)

    def first_line(_hook, namespace, _pod, container, *, seconds):
        assert (namespace, container) == ("apps", "prober")
        given.asked += 1
        return given.line

    monkeypatch.setattr(pod_evidence, "first_line", first_line)
    monkeypatch.setattr(pod_evidence, "last_lines", lambda *_, **__: "line 1\nline 2\n")
    return given


def smoke_in(*shows):
    cluster, made = Cluster(), task()
    cluster.shows = shows
    run_in(cluster, made)
    assert cluster.pods == set()
    return made._verdict()


WAITS = {"prober": {"waiting": {}}, "app": {"waiting": {}}}
RUNS = {"prober": {"running": {}}, "app": {"running": {}}}


def ended(message, code=0):
    return RUNS | {"prober": {"terminated": {"exitCode": code, "message": message}}}


def test_the_verdict_is_read_from_the_log_before_the_status_shows_it(logged):
    logged.line = verdict(body="of the log")
    assert smoke_in(WAITS, RUNS).body == "of the log"


@pytest.mark.parametrize("line", ["", "no verdict"])
def test_without_a_verdict_in_the_log_the_watch_waits_for_the_status(logged, line):
    logged.line = line
    assert smoke_in(WAITS, RUNS, RUNS, ended(verdict(body="of the status"))).body == "of the status"
    assert logged.asked == 1


DENIED = {
    "prober": {"running": {}},
    "app": {"waiting": {"reason": "ImagePullBackOff", "message": "401 Unauthorized"}},
}


def without_secret(times):
    told = {"reason": "FailedToRetrieveImagePullSecret", "message": "Unable …", "count": times}
    return lambda *_: [told]


def test_a_pull_that_failed_before_the_pull_secret_was_available_is_waited_for(logged, monkeypatch):
    monkeypatch.setattr(pod_evidence, "events", without_secret(1))
    logged.line = verdict(body="in the end")
    assert smoke_in(WAITS, DENIED, RUNS).body == "in the end"


def test_a_missing_image_is_not_waited_for(logged, monkeypatch):
    monkeypatch.setattr(pod_evidence, "events", without_secret(2))
    with pytest.raises(SmokeTestFailed, match="The node had no pull secret to show") as raised:
        smoke_in(WAITS, DENIED)
    assert raised.value.retryable


CRASHED = {"terminated": {"exitCode": 3, "reason": "Error"}}


def test_a_crash_is_reported_without_reading_the_probers_log(logged):
    logged.line = verdict(ok=False, problem="got no answer on port 8002")
    with pytest.raises(SmokeTestFailed, match="the service crashed with exit code 3") as raised:
        smoke_in(WAITS, RUNS | {"app": CRASHED})
    assert logged.asked == 0
    assert raised.value.retryable is False


def test_a_verdict_takes_precedence_over_the_end_of_the_service(logged):
    assert smoke_in(ended(verdict(body="left")) | {"app": CRASHED}).body == "left"


@pytest.mark.parametrize("app", [{}, {"waiting": {"reason": "ContainerCreating"}}])
def test_the_probers_log_is_read_while_the_service_starts(logged, app):
    logged.line = verdict(body="of the log")
    assert smoke_in(RUNS | {"app": app}).body == "of the log"


def test_a_container_that_the_node_cannot_create_yet_is_waited_for(logged):
    hiccup = {
        "reason": "CreateContainerConfigError",
        "message": "failed to sync secret cache: timed out waiting for the condition",
    }
    logged.line = verdict(body="of the log")
    assert smoke_in(RUNS | {"app": {"waiting": hiccup}}, RUNS).body == "of the log"
    assert logged.asked == 1


def test_a_container_that_did_not_start_in_time_is_retryable(logged):
    late = {"exitCode": 128, "reason": "StartError", "message": "context deadline exceeded"}
    with pytest.raises(SmokeTestFailed, match="cannot be started: context deadline") as raised:
        smoke_in(RUNS | {"app": {"terminated": late}})
    assert raised.value.retryable


STOPPED = {"terminated": {"exitCode": 143, "reason": "Error"}}
DRAINED = {"metadata": {"deletionTimestamp": "2026-01-02T03:04:05Z"}}
EVICTED = {
    "status": {
        "phase": "Failed",
        "reason": "Evicted",
        "message": "The node was low on resource: memory. ",
    }
}


@pytest.mark.parametrize("prober", [STOPPED, {"running": {}}])
@pytest.mark.parametrize("app", [STOPPED, {"terminated": {"exitCode": 0}}])
@pytest.mark.parametrize(
    ("pod", "told"),
    [
        (DRAINED, r"Pod pricing-quotes-smoke-\w+ was deleted before it gave a verdict"),
        (EVICTED, r"its pod failed: The node was low on resource: memory\.$"),
        ({"status": {"reason": "Shutdown"}}, "its pod failed: Shutdown$"),
    ],
)
def test_an_evicted_or_killed_pod_does_not_blame_the_image(logged, prober, app, pod, told):
    with pytest.raises(SmokeTestFailed, match=told) as raised:
        smoke_in({"prober": prober, "app": app, "pod": pod})
    assert raised.value.retryable


def test_a_verdict_from_before_the_end_of_the_pod_is_used(logged):
    for pod in (DRAINED, EVICTED):
        assert smoke_in(ended(verdict(body="left")) | {"pod": pod}).body == "left"


@pytest.mark.parametrize(
    "error",
    [
        ClusterError("The API server does not accept a new token."),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"),
    ],
)
def test_an_unreadable_log_hides_no_error(monkeypatch, error):
    def refused(*_, **__):
        raise error

    monkeypatch.setattr(pod_evidence, "first_line", refused)
    monkeypatch.setattr(pod_evidence, "last_lines", refused)
    assert smoke_in(RUNS, ended(verdict(body="left"))).body == "left"
    with pytest.raises(SmokeTestFailed, match="answered 500 instead of 200"):
        smoke_in(RUNS, ended(verdict(ok=False, problem="answered 500 instead of 200")))
    with pytest.raises(SmokeTestFailed, match="crashed with exit code 3"):
        smoke_in(RUNS | {"app": CRASHED})


def test_a_task_timeout_while_reading_the_log_deletes_the_pod(monkeypatch):
    class TaskTimeout(BaseException):
        """Derives from BaseException, as Airflow's own timeout does."""

    def slow(*_, **__):
        raise TaskTimeout

    monkeypatch.setattr(pod_evidence, "last_lines", slow)
    cluster, made = Cluster(), task()
    cluster.shows = [ended(verdict())]
    with pytest.raises(TaskTimeout):
        run_in(cluster, made)
    assert cluster.pods == set()


def test_a_bad_verdict_in_the_log_fails_like_any_other(logged):
    logged.line = verdict(ok=False, problem="answered 500 instead of 200")
    with pytest.raises(SmokeTestFailed, match="answered 500 instead of 200 in"):
        smoke_in(RUNS)


def test_a_service_that_exits_is_not_waited_for(logged):
    with pytest.raises(SmokeTestFailed, match="ended by itself with exit code 0") as raised:
        smoke_in(RUNS, RUNS | {"app": {"terminated": {"exitCode": 0}}})
    assert str(raised.value).endswith("line 1\nline 2")
    assert raised.value.retryable is False


def test_a_bad_verdict_names_request_answer_and_the_services_last_lines(logged):
    bad = verdict(ok=False, problem="answered 500 instead of 200", body="oops")
    with pytest.raises(SmokeTestFailed) as raised:
        smoke_in(ended(bad))
    assert "GET /health answered 500 instead of 200" in str(raised.value)
    assert "'oops'" in str(raised.value)
    assert str(raised.value).endswith("line 1\nline 2")
    assert raised.value.retryable is False


def test_an_image_without_python_is_explained(logged):
    message = 'exec: "python3": executable file not found in $PATH'
    with pytest.raises(SmokeTestFailed, match="needs python3 in the image"):
        smoke_in(ended(message, code=128))


def test_a_prober_without_a_verdict_is_retryable(logged):
    with pytest.raises(SmokeTestFailed, match=r"exit code 137 .* \(Killed\)") as raised:
        smoke_in(ended("Killed", code=137))
    assert raised.value.retryable


def test_a_verdict_of_another_run_is_ignored(logged):
    with pytest.raises(StateError):
        smoke_in(ended(verdict(runId="run-2")))
