"""When a smoke test is over, and with which verdict."""

import pytest
from manifest_engine.domain.manifest import manifest
from manifest_engine.domain.smoke.answer import Answer
from manifest_engine.domain.smoke.progress import Progress

REFUSED = Answer(None, problem="dial tcp 10.0.0.9:8002: connect: connection refused")
SILENT = Answer(None, problem="no answer in 3 s", timed_out=True)
UNREACHABLE = Answer(None, problem="dial tcp 10.0.0.9:8002: i/o timeout")


def progress(**fields):
    asked = {"component": "c", "serviceName": "s", "version": "1", "environment": "dev"}
    return Progress(manifest.parse(asked | fields))


def conclude(made, answer, *, until=1000, **known):
    """Repeat the answer every second; the second of the conclusion and the conclusion."""
    for now in range(until):
        if found := made.judge(answer, now, **known):
            return now, found
    return None


def test_one_right_answer_decides_readiness_and_smoke_test():
    made = progress()
    assert (made.request.port, made.request.path, made.request.seconds) == (8002, "/health", 3)
    found = made.judge(Answer(200, "ok"), 0.1)
    assert (found.asked, found.problem) == ("/health", "")


def test_another_path_is_requested_once_the_health_path_answers():
    made = progress(smokeTest={"path": "/x", "expectBody": "b"}, readiness={"port": 9000})
    assert (made.request.port, made.request.path) == (9000, "/health")
    assert made.judge(REFUSED, 0.1) is None
    assert made.judge(Answer(200), 0.2) is None
    assert (made.request.port, made.request.path) == (8002, "/x")
    assert made.judge(Answer(200, "abc"), 0.3).problem == ""


@pytest.mark.parametrize("status", [404, 500, 503])
def test_a_wrong_answer_is_waited_for_as_long_as_the_service_may_start(status):
    made = progress(startupSeconds=100)
    now, found = conclude(made, Answer(status))
    assert now == 101
    assert f"answers {status} instead of 200, 101 s after the start (startupSeconds 100)" in (
        found.problem
    )


def test_a_model_that_loads_is_ready_in_the_end():
    made = progress(startupSeconds=100)
    assert conclude(made, Answer(500), until=90) is None
    assert made.judge(Answer(200), 90).problem == ""


def test_an_answer_that_no_starting_service_gives_is_final_after_a_few_seconds():
    now, found = conclude(progress(), Answer(301, location="https://h/health"))
    assert now == 6
    assert "it redirects to https://h/health" in found.problem


def test_tls_is_final_at_once():
    now, found = conclude(progress(), Answer(None, problem="EOF", tls=True))
    assert (now, "speaks TLS" in found.problem) == (0, True)


def test_a_port_on_which_nothing_listens_names_both_causes():
    _, found = conclude(progress(startupSeconds=5), REFUSED)
    assert "listens on 127.0.0.1 or localhost alone, bind 0.0.0.0; if on another port" in (
        found.problem
    )


def test_the_cause_is_told_instead_when_it_is_known():
    made = progress()
    made.judge(REFUSED, 6)
    assert made.never_ready(6, "it listens on 127.0.0.1").problem.endswith(
        "; it listens on 127.0.0.1"
    )


def test_a_port_that_the_stopped_service_closes_does_not_hide_its_answer():
    made = progress()
    made.judge(Answer(503), 3)
    made.judge(REFUSED, 4)
    assert "answers 503 instead of 200" in made.never_ready(4).problem


def test_a_slow_health_path_is_measured_once_and_told_with_both_times():
    made = progress()
    for now in (3, 6):
        assert made.judge(SILENT, now, took=3.0) is None
    assert made.request.seconds == 30
    assert made.judge(Answer(200), 11, took=4.5) is None
    assert made.request.seconds == 3
    found = made.judge(SILENT, 14, took=3.0)
    assert found.problem == (
        "answers only after 4.5 s, and the probes wait for 3 s; make it quicker, or raise "
        "readiness.timeoutSeconds"
    )


def test_a_service_that_only_its_first_requests_found_slow_is_ready():
    made = progress()
    made.judge(SILENT, 3, took=3.0)
    made.judge(SILENT, 6, took=3.0)
    assert made.request.seconds == 30
    made.judge(Answer(200), 11, took=4.5)
    assert made.judge(Answer(200), 12, took=0.1).problem == ""


def test_a_wrong_answer_of_a_ready_pod_has_the_time_of_the_smoke_test_alone():
    made = progress(startupSeconds=600, smokeTest={"path": "/x", "timeoutSeconds": 10})
    made.judge(Answer(200), 0)
    now, found = conclude(made, Answer(503))
    assert (now, found.problem) == (11, "answers 503 instead of 200")


def test_a_body_without_the_text_is_final_after_a_few_seconds():
    now, found = conclude(progress(smokeTest={"expectBody": "goodbye"}), Answer(200, "hello"))
    assert (now, found.problem) == (6, "answers 200, but without 'goodbye' in the body")


def test_the_kubelet_decides_where_no_request_can():
    made = progress(readiness={"kind": "tcp"})
    assert made.request is None
    assert conclude(made, None, until=60) is None
    found = made.judge(None, 60, pod_ready=True)
    assert (found.asked, found.problem) == ("tcp check", "")
    assert conclude(progress(readiness={"kind": "tcp"}), None)[0] == 61


def test_a_pod_that_the_api_server_cannot_reach_is_judged_by_the_kubelet():
    now, found = conclude(progress(), UNREACHABLE, pod_ready=True)
    assert (now, found.problem) == (6, "")
    _, found = conclude(progress(smokeTest={"expectBody": "b"}), UNREACHABLE, pod_ready=True)
    assert "i/o timeout" in found.problem
