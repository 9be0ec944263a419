"""The log of a container, complete or broken off."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from kubernetes.client import ApiClient, CoreV1Api
from manifest_engine.domain.core import printable
from manifest_engine.hooks.kubernetes import pod_evidence

from tests.unit.hooks.kubernetes.api_server_double import HEAD, chunked, serving

END = b"0\r\n\r\n"
REFUSED = HEAD.replace(b"200 OK", b"400 Bad Request") + b"\r\ncontainer is waiting to start"


def hook(client: ApiClient) -> Any:
    return SimpleNamespace(core_v1_client=CoreV1Api(client))


def last_lines(client: ApiClient) -> str:
    return pod_evidence.last_lines(hook(client), "apps", "p", "app", lines=9)


def test_the_lines_before_a_broken_connection_are_shown():
    with serving(chunked(b"line 1\n", b"line 2")) as client:
        assert last_lines(client) == "line 1\nline 2"


def test_an_unreadable_log_is_empty():
    with serving(REFUSED) as client:
        assert last_lines(client) == ""


def test_log_lines_are_printable_and_of_limited_length():
    with serving(chunked(b"\0\x1b[31mred\n", b"x" * 5_000_000, b"\nlast") + END) as client:
        red, long, last = last_lines(client).split("\n")
    assert (red, last) == ("\ufffdred", "last")
    assert len(long) <= printable.LINE_MAX
