"""The log of a container, complete or broken off."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

import pytest
from kubernetes.client import ApiClient, CoreV1Api
from manifest_engine.domain.core import printable
from manifest_engine.hooks.kubernetes import pod_evidence

from tests.unit.hooks.kubernetes.api_server_double import HEAD, chunked, serving

END = b"0\r\n\r\n"
REFUSED = HEAD.replace(b"200 OK", b"400 Bad Request") + b"\r\ncontainer is waiting to start"


def hook(client: ApiClient) -> Any:
    return SimpleNamespace(core_v1_client=CoreV1Api(client))


def first_line(client: ApiClient) -> str:
    return pod_evidence.first_line(hook(client), "apps", "p", "prober", seconds=0.5)


def last_lines(client: ApiClient) -> str:
    return pod_evidence.last_lines(hook(client), "apps", "p", "app", lines=9)


def test_the_first_line_is_returned_before_the_log_ends():
    begin = time.monotonic()
    with serving(chunked(b'{"ok"', b":true}\nmore"), hang=True) as client:
        assert first_line(client) == '{"ok":true}'
    assert time.monotonic() - begin < 0.4


@pytest.mark.parametrize(
    "answer", [REFUSED, chunked(b"cut o"), chunked(b"cut o") + END, chunked() + END]
)
def test_an_incomplete_line_does_not_count(answer):
    with serving(answer) as client:
        assert first_line(client) == ""


def test_waiting_for_the_first_line_has_a_limit():
    with serving(chunked(b"no end"), hang=True) as client:
        assert first_line(client) == ""


def test_the_lines_before_a_broken_connection_are_shown():
    with serving(chunked(b"line 1\n", b"line 2")) as client:
        assert last_lines(client) == "line 1\nline 2"


def test_an_unreadable_log_is_empty():
    with serving(REFUSED) as client:
        assert last_lines(client) == ""


def test_a_log_request_without_an_answer_is_sent_once():
    """The kubelet sends no response headers before the first byte of the log."""
    asked: list[bytes] = []
    begin = time.monotonic()
    with serving(b"", hang=True, asked=asked) as client:
        assert first_line(client) == ""
    assert time.monotonic() - begin < 0.75
    assert len(asked) == 1


def test_log_lines_are_printable_and_of_limited_length():
    with serving(chunked(b"\0\x1b[31mred\n", b"x" * 5_000_000, b"\nlast") + END) as client:
        red, long, last = last_lines(client).split("\n")
    assert (red, last) == ("\ufffdred", "last")
    assert len(long) <= printable.LINE_MAX


def test_a_first_line_without_end_is_read_up_to_a_limit():
    with serving(chunked(*[b"x" * 60_000] * 3), hang=True) as client:
        assert first_line(client) == ""
