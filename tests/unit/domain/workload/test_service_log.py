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


@pytest.mark.parametrize(
    "line",
    [
        " * Running on http://127.0.0.1:8002",
        "INFO:     Uvicorn running on http://localhost:8002 (Press CTRL+C to quit)",
        "[INFO] Listening at: http://127.0.0.1:8002 (7)",
        "Serving HTTP on 127.0.0.1 port 8002 (http://127.0.0.1:8002/) ...",
        "bound to ('127.0.0.1', 8002)",
        "listening on [::1]:8002",
    ],
)
def test_a_log_tells_that_a_service_listens_on_loopback(line):
    assert "bind 0.0.0.0" in service_log.listens_on_loopback(f"starting\n{line}\n", 8002)
    assert service_log.listens_on_loopback(line, 800) == ""


@pytest.mark.parametrize(
    ("line", "port"),
    [
        ("Uvicorn running on http://0.0.0.0:8000 (Press CTRL+C to quit)", 8000),
        ("server listening on :3000", 3000),
        ("Tomcat started on port(s): 8080 (http)", 8080),
        ("Listening on port 5000", 5000),
        ("connecting to db:5432", None),
        ("10:15:42 server started", None),
        ("listening on 0.0.0.0:8002", None),
    ],
)
def test_a_log_tells_that_a_service_listens_on_another_port(line, port):
    expected = service_log.listens_on_another_port(line, 8002)
    assert expected.startswith(f"its log names port {port};") if port else expected == ""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("exec /start.sh: no such file or directory", "CRLF"),
        ("setpriv: setresuid failed: Operation not permitted", "numeric USER in the Dockerfile"),
        ("seteuid: Operation not permitted", "numeric USER in the Dockerfile"),
        ('exec: "/start.sh": stat /start.sh: no such file or directory', "CRLF"),
        ("self.socket.bind(address)\nPermissionError: [Errno 13] Permission denied", "above 1023"),
        ("bind() to 0.0.0.0:80 failed (13: Permission denied)", "above 1023"),
        ("listen tcp :80: bind: permission denied", "above 1023"),
        ("Error: listen EACCES: permission denied 0.0.0.0:80", "above 1023"),
        ('chown("/var/cache", 101) failed (1: Operation not permitted)', "numeric USER"),
        ("s6-overlay-suexec: fatal: can only run as pid 1", "process 1"),
        ("PermissionError: [Errno 13] Permission denied: '/data/x'", ""),
        ("cannot open the price list: no such file or directory", ""),
    ],
)
def test_what_to_do_when_a_restriction_of_the_container_ends_the_service(text, expected):
    found = service_log.advice(text)
    assert expected in found if expected else found == ""


@pytest.mark.parametrize("worst", ["bind ", "exec: ", "listening on ", "127.0.0.1 ", "chown "])
def test_the_work_on_a_log_is_bounded(worst):
    begin = time.monotonic()
    service_log.advice(worst * 200_000)
    service_log.listens_on_loopback(worst * 20_000, 8002)
    service_log.listens_on_another_port(worst * 20_000, 8002)
    assert time.monotonic() - begin < 3
