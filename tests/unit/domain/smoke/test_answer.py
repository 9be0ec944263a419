"""The answers of a service through the API server's pod proxy."""

import json

import pytest
from manifest_engine.domain.smoke import answer as answers
from manifest_engine.domain.smoke.answer import Answer

PREFIX = "/api/v1/namespaces/apps/pods/quotes-1:8002/proxy"


def through(status, body="", **headers):
    return answers.through_proxy(status, headers, body, PREFIX)


def proxy_error(problem):
    """As recorded from kube-apiserver 1.36."""
    message = f"error trying to reach service: {problem}"
    return json.dumps(
        {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
         "message": message, "reason": "ServiceUnavailable", "code": 503}
    )  # fmt: skip


@pytest.mark.parametrize(
    ("problem", "refused", "garbled"),
    [
        ("dial tcp 10.244.0.61:8003: connect: connection refused", True, False),
        ("dial tcp 10.244.0.61:8003: i/o timeout", False, False),
        ("EOF", False, True),
        ("read tcp 10.0.0.1:5->10.0.0.2:6: read: connection reset by peer", False, True),
        (
            'net/http: HTTP/1.x transport connection broken: malformed HTTP response "x"',
            False,
            True,
        ),
    ],
)
def test_an_error_of_the_proxy_is_no_answer_of_the_service(problem, refused, garbled):
    found = through(503, proxy_error(problem))
    assert (found.status, found.problem) == (None, problem)
    assert (found.refused, found.garbled) == (refused, garbled)


@pytest.mark.parametrize("body", ["starting", '{"message": "starting"}', "[1]", "[" * 100_000])
def test_a_503_of_the_service_itself_is_an_answer(body):
    assert through(503, body).status == 503


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        (f"https://10.0.0.9:8002{PREFIX}/health", "https://10.0.0.9:8002/health"),
        (f"{PREFIX}/login?next=/health", "/login?next=/health"),
        ("https://login.example/", "https://login.example/"),
        ("login", "login"),
    ],
)
def test_the_target_of_a_redirect_has_no_path_of_the_proxy(location, expected):
    assert through(301, location=location).location == expected


def test_the_links_of_a_page_are_those_of_the_service():
    assert through(200, f'<a href="{PREFIX}/docs">').body == '<a href="/docs">'


@pytest.mark.parametrize("status", [404, 409, 425, 429, 500, 502, 503])
def test_a_service_that_starts_may_give_the_answer(status):
    assert Answer(status).may_pass


@pytest.mark.parametrize("status", [204, 301, 302, 400, 401, 403, 405, 418])
def test_no_starting_service_gives_the_answer(status):
    assert not Answer(status).may_pass


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (Answer(None, problem="EOF", tls=True), "speaks TLS"),
        (Answer(400, "Client sent an HTTP request to an HTTPS server.\n"), "speaks TLS"),
        (Answer(400, "<h1>DisallowedHost at /health</h1>"), "sends the pod's address as Host"),
        (Answer(302, location="/login"), "it redirects to /login; let /health answer without"),
        (Answer(401), "probes cannot log in"),
        (Answer(404), "a path that the service knows"),
        (Answer(204), "set smokeTest.expectStatus to 204"),
        (Answer(500), ""),
    ],
)
def test_what_to_do_about_a_wrong_answer(answer, expected):
    assert expected in answers.advice(answer, "/health", 200)
