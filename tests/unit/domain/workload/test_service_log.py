"""The end of a service's log as an error message quotes it."""

import time

import pytest
from manifest_engine.domain.workload import service_log


def test_only_the_last_lines_of_a_log_are_repeated():
    text = service_log.tail("\n".join(str(i) for i in range(100)), lines=2)
    assert text.endswith("\n98\n99")


def test_terminal_colours_are_removed():
    assert service_log.tail("\x1b[33mGET /\x1b[0m 404").endswith("\nGET / 404")


def test_consecutive_lines_that_differ_only_in_time_are_kept_once():
    text = "start 1\n10:00:01 GET /x 404\n10:00:02 GET /x 404\n10:00:02 GET /y 404\nstart 2"
    assert service_log.tail(text).splitlines()[1:] == [
        "start 1",
        "10:00:02 GET /x 404",
        "10:00:02 GET /y 404",
        "start 2",
    ]


ACCESS = [
    '10.244.0.1 - - [26/Nov/2026 10:00:00] "GET /health HTTP/1.1" 500 -',
    'INFO:     10.244.0.1:4242 - "GET /health HTTP/1.1" 200 OK',
    '10.244.0.1 - - [26/Nov/2026:10:00:00 +0000] "GET / HTTP/1.1" 200 2 "-" "kube-probe/1.36"',
    '{"method": "GET", "path": "/health", "agent": "kube-probe/1.36"}',
]


@pytest.mark.parametrize("access", ACCESS)
def test_the_access_log_does_not_push_out_what_the_service_wrote(access):
    log = "\n".join(["cannot reach the database", *[access] * 500])
    assert service_log.tail(log).endswith(":\ncannot reach the database")


def test_without_other_lines_the_last_line_of_the_access_log_is_kept():
    assert service_log.tail("\n".join(ACCESS)).endswith(f":\n{ACCESS[-1]}")


def test_a_line_that_quotes_a_path_is_no_access_line():
    assert not service_log.is_access_line('the route "/health" is registered, GET only')


def test_the_work_is_linear_in_the_length_of_a_line():
    begin = time.monotonic()
    service_log.is_access_line('"GET ' * 200_000)
    assert time.monotonic() - begin < 2
