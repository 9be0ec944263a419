"""The result of a smoke test follows from the pod's status, its answers and its end."""

from types import SimpleNamespace

import pytest
from manifest_engine.domain.core.errors import ClusterError, SmokeTestFailed
from manifest_engine.domain.smoke.answer import Answer
from manifest_engine.hooks.kubernetes import pod_evidence, pod_proxy
from manifest_engine.hooks.kubernetes.errors import NotFound
from manifest_engine.services.smoke import pod_watch

from tests.unit.operators.smoke.smoke_cluster import Cluster, run_in, task

REFUSED = Answer(None, problem="dial tcp 10.0.0.9:8002: connect: connection refused")
GOOD = Answer(200, "fine")
WAITS = {"app": {"waiting": {}}}
RUNS = {"app": {"running": {}}}
READY = RUNS | {"ready": True}


@pytest.fixture(autouse=True)
def asked(monkeypatch):
    """The answers of the service, the last of them again and again, and the requests for them."""
    given = SimpleNamespace(answers=[GOOD], log="line 1\nline 2\n", requests=[], tls=None)

    def get(_hook, _pod, request, *, tls=False):
        given.requests.append((request.port, request.path, tls))
        if tls:
            return given.tls
        found = given.answers.pop(0) if len(given.answers) > 1 else given.answers[0]
        if isinstance(found, Exception):
            raise found
        return found

    monkeypatch.setattr(pod_proxy, "get", get)
    monkeypatch.setattr(pod_evidence, "last_lines", lambda *_, **__: given.log)
    monkeypatch.setattr(pod_evidence, "events", lambda *_: [])
    monkeypatch.setattr(pod_watch, "_PAUSE_SECONDS", 0.01)
    return given


def smoke_in(*shows, **fields):
    cluster, made = Cluster(), task(**fields)
    cluster.shows = list(shows)
    run_in(cluster, made)
    assert cluster.pods == set()
    return made._verdict()


def test_the_service_is_asked_as_soon_as_it_runs(asked):
    found = smoke_in(WAITS, RUNS)
    assert (found.status, found.body, found.ok) == (200, "fine", True)
    assert asked.requests == [(8002, "/health", False)]


def test_a_reason_to_wait_for_the_cluster_is_reported_until_the_wait_is_over(asked):
    cluster, made, reasons = Cluster(), task(), []
    cluster.shows = [WAITS, RUNS]
    made._on_pending = reasons.append
    run_in(cluster, made)
    assert reasons == ["the scheduler has not chosen a node yet", ""]


def test_the_service_is_asked_again_until_it_listens(asked):
    asked.answers = [REFUSED, REFUSED, GOOD]
    assert smoke_in(RUNS, RUNS, RUNS).ok


def test_a_service_on_loopback_is_not_waited_for(asked, monkeypatch):
    monkeypatch.setattr(pod_watch, "_LOG_EVERY_SECONDS", 0.0)
    asked.answers = [REFUSED]
    asked.log = "Running on http://127.0.0.1:8002"
    with pytest.raises(SmokeTestFailed, match=r"listens on 127\.0\.0\.1 .*bind 0\.0\.0\.0"):
        smoke_in(RUNS)


def test_a_garbled_answer_is_asked_for_once_more_with_tls(asked):
    asked.answers = [Answer(None, problem="EOF")]
    asked.tls = Answer(200)
    with pytest.raises(SmokeTestFailed, match="speaks TLS"):
        smoke_in(RUNS)
    assert asked.requests[-1] == (8002, "/health", True)


def test_a_service_that_closes_connections_is_waited_for(asked):
    asked.answers = [Answer(None, problem="EOF"), GOOD]
    asked.tls = Answer(None, problem="tls: first record does not look like a TLS handshake")
    assert smoke_in(RUNS, RUNS).ok


def test_the_kubelets_result_counts_where_only_the_kubelet_can_ask(asked):
    found = smoke_in(RUNS, RUNS, READY, readiness={"kind": "grpc", "port": 50051})
    assert (found.ok, found.request, found.status) == (True, "the grpc check", None)
    assert asked.requests == []


def test_a_missing_right_is_named(asked):
    asked.answers = [ClusterError("The account may not get pods/proxy in namespace 'apps'.")]
    with pytest.raises(ClusterError, match="may not get pods/proxy"):
        smoke_in(RUNS)


def test_a_pod_that_is_gone_is_retryable(asked):
    asked.answers = [NotFound("pods 'x' not found")]
    with pytest.raises(SmokeTestFailed, match="was deleted before") as raised:
        smoke_in(RUNS)
    assert raised.value.retryable


DENIED = {"app": {"waiting": {"reason": "ImagePullBackOff", "message": "401 Unauthorized"}}}


def without_secret(times):
    event = {"reason": "FailedToRetrieveImagePullSecret", "message": "Unable …", "count": times}
    return lambda *_: [event]


def test_a_pull_that_failed_before_the_pull_secret_was_available_is_waited_for(monkeypatch):
    monkeypatch.setattr(pod_evidence, "events", without_secret(1))
    assert smoke_in(WAITS, DENIED, RUNS).ok


def test_a_missing_image_is_not_waited_for(monkeypatch):
    monkeypatch.setattr(pod_evidence, "events", without_secret(2))
    with pytest.raises(SmokeTestFailed, match="The node had no pull secret to show") as raised:
        smoke_in(WAITS, DENIED)
    assert raised.value.retryable


CRASHED = {"app": {"terminated": {"exitCode": 3, "reason": "Error"}}}


def test_a_crash_is_reported(asked):
    asked.answers = [REFUSED]
    for shows in ([WAITS, CRASHED], [RUNS, CRASHED]):
        with pytest.raises(SmokeTestFailed, match="the service crashed with exit code 3") as raised:
            smoke_in(*shows)
        assert raised.value.retryable is False


def test_a_container_that_the_node_cannot_create_yet_is_waited_for():
    hiccup = {
        "reason": "CreateContainerConfigError",
        "message": "failed to sync secret cache: timed out waiting for the condition",
    }
    assert smoke_in({"app": {"waiting": hiccup}}, RUNS).ok


def test_a_container_that_did_not_start_in_time_is_retryable():
    late = {"exitCode": 128, "reason": "StartError", "message": "context deadline exceeded"}
    with pytest.raises(SmokeTestFailed, match="cannot be started: context deadline") as raised:
        smoke_in({"app": {"terminated": late}})
    assert raised.value.retryable


STOPPED = {"app": {"terminated": {"exitCode": 137, "reason": "Error"}}}


def test_a_service_that_the_kubelet_stopped_is_reported_with_its_last_answer(asked):
    asked.answers = [Answer(503, "starting")]
    with pytest.raises(SmokeTestFailed, match=r"answers 503 instead of 200.*'starting'"):
        smoke_in(RUNS, STOPPED)


def test_without_a_request_the_kubelets_event_has_the_reason(monkeypatch):
    def events(_hook, _namespace, fields):
        name = fields.partition("=")[2]
        message = "Startup probe failed: dial tcp 10.0.0.9:9000: connect: connection refused"
        return [{"reason": "Unhealthy", "message": message, "involvedObject": {"name": name}}]

    monkeypatch.setattr(pod_evidence, "events", events)
    with pytest.raises(SmokeTestFailed, match=r"Startup probe failed: .*:9000.*\n.*line 1\nline 2"):
        smoke_in(RUNS, STOPPED, readiness={"kind": "tcp", "port": 9000})


DRAINED = {"metadata": {"deletionTimestamp": "2026-01-02T03:04:05Z"}}
EVICTED = {
    "status": {
        "phase": "Failed",
        "reason": "Evicted",
        "message": "The node was low on resource: memory. ",
    }
}


@pytest.mark.parametrize("app", [STOPPED, {"app": {"terminated": {"exitCode": 0}}}])
@pytest.mark.parametrize(
    ("pod", "reason"),
    [
        (DRAINED, r"Pod pricing-quotes-smoke-\w+ was deleted before it gave a verdict"),
        (EVICTED, r"its pod failed: The node was low on resource: memory\.$"),
        ({"status": {"reason": "Shutdown"}}, "its pod failed: Shutdown$"),
    ],
)
def test_an_evicted_or_killed_pod_does_not_blame_the_image(asked, app, pod, reason):
    asked.answers = [REFUSED]
    for shows in ([app | {"pod": pod}], [RUNS, app | {"pod": pod}]):
        with pytest.raises(SmokeTestFailed, match=reason) as raised:
            smoke_in(*shows)
        assert raised.value.retryable


@pytest.mark.parametrize(
    "error",
    [
        ClusterError("The API server does not accept a new token."),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"),
    ],
)
def test_an_unreadable_log_hides_no_error(asked, monkeypatch, error):
    def refused(*_, **__):
        raise error

    monkeypatch.setattr(pod_evidence, "last_lines", refused)
    assert smoke_in(RUNS).ok
    asked.answers = [REFUSED]
    with pytest.raises(SmokeTestFailed, match="crashed with exit code 3"):
        smoke_in(RUNS, CRASHED)


def test_a_task_timeout_while_reading_the_log_deletes_the_pod(monkeypatch):
    class TaskTimeout(BaseException):
        """Derives from BaseException, as Airflow's own timeout does."""

    def slow(*_, **__):
        raise TaskTimeout

    monkeypatch.setattr(pod_evidence, "last_lines", slow)
    cluster, made = Cluster(), task()
    cluster.shows = [RUNS]
    with pytest.raises(TaskTimeout):
        run_in(cluster, made)
    assert cluster.pods == set()


def test_a_service_that_exits_is_not_waited_for(asked):
    asked.answers = [REFUSED]
    with pytest.raises(SmokeTestFailed, match="ended by itself with exit code 0") as raised:
        smoke_in(RUNS, {"app": {"terminated": {"exitCode": 0}}})
    assert str(raised.value).endswith("line 1\nline 2")
    assert raised.value.retryable is False
