"""An API server or a proxy that breaks off in the middle of an answer."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from airflow.sdk import Connection
from kubernetes.client import Configuration
from manifest_engine.domain.core.errors import ClusterError
from manifest_engine.hooks.kubernetes import api_server
from manifest_engine.hooks.kubernetes.api_server import ApiServer
from manifest_engine.hooks.kubernetes.cluster import ClusterHook
from urllib3.exceptions import ReadTimeoutError

from tests.unit.hooks.kubernetes.api_server_double import HEAD, chunk, chunked, serving

FORBIDDEN = json.dumps(
    {
        "kind": "Status",
        "reason": "Forbidden",
        "message": 'pods "p" is forbidden: User "u" cannot get resource "pods" in API group ""',
    }
).encode()
REFUSED = (
    b"HTTP/1.1 403 Forbidden\r\nContent-Type: application/json\r\nConnection: close\r\n"
    b"Content-Length: %d\r\n\r\n%s" % (len(FORBIDDEN), FORBIDDEN)
)
ADDED = b'{"type":"ADDED","object":{"kind":"Pod"}}\n'

Serve = Callable[..., ApiServer]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """An API server that answers every request with these bytes, then closes or hangs."""
    with ExitStack() as opened:
        yield lambda content, **how: ApiServer(opened.enter_context(serving(content, **how)))


def cluster_of(server: str) -> ClusterHook:
    """A client from a Connection with a kubeconfig."""
    kubeconfig = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": server}}],
        "users": [{"name": "u", "user": {}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }
    extra = json.dumps({"kube_config": json.dumps(kubeconfig)})
    given = Connection(conn_id="here", conn_type="kubernetes", extra=extra)
    return ClusterHook("here", connection=given)


def get(server: ApiServer) -> object:
    return server.request("get", "v1", "Pod", namespace="apps", name="p")


def watched(server: ApiServer, seconds: float = 5) -> list[str]:
    return [kind for kind, _ in server.watch("v1", "Pod", "p", "apps", seconds=seconds)]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (HEAD + b'Content-Length: 99\r\n\r\n{"kind":"Po', "could not be reached to get pods 'p'"),
        (chunked(b'{"kind":"Po'), "could not be reached to get pods 'p'"),
        (HEAD + b'\r\n{"kind":"Po', "its answer is no JSON, or broke off"),
        (HEAD + '\r\n{"kind":"ü'.encode()[:-1], "its answer is no JSON, or broke off"),
        (HEAD + b"\r\n<html>", "its answer is no JSON, or broke off"),
    ],
    ids=["length", "chunked", "neither", "half a letter", "a page"],
)
def test_half_an_answer_is_a_retryable_error(serve: Serve, content: bytes, message: str) -> None:
    with pytest.raises(ClusterError, match=message) as caught:
        get(serve(content))
    assert caught.value.retryable


def test_waiting_for_the_rest_of_an_answer_has_a_limit(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api_server, "READ_SECONDS", 0.3)
    server = serve(HEAD + b'Content-Length: 99\r\n\r\n{"kind"', hang=True)
    with pytest.raises(ClusterError, match=r"could not be reached.*timed out") as caught:
        get(server)
    assert caught.value.retryable


def test_a_missing_answer_is_waited_for_once(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api_server, "READ_SECONDS", 0.3)
    asked: list[bytes] = []
    with pytest.raises(ClusterError, match="timed out") as caught:
        get(serve(b"", hang=True, asked=asked))
    assert caught.value.retryable
    assert len(asked) == 1


def test_a_request_on_a_broken_connection_is_repeated_at_once(serve: Serve) -> None:
    """A proxy or firewall can close a pooled connection."""
    asked: list[bytes] = []
    with pytest.raises(ClusterError, match="could not be reached"):
        get(serve(b"", asked=asked))
    assert len(asked) == 4


def test_retries_are_reported_once_by_our_error_and_not_logged(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(ClusterError):
        get(serve(b""))
    assert [record.name for record in caplog.records if record.name.startswith("urllib3")] == []


def test_a_missing_permission_is_not_retryable(serve: Serve) -> None:
    with pytest.raises(ClusterError, match="The connection's account may not get pods") as caught:
        get(serve(REFUSED, readyz=HEAD + b"Content-Length: 2\r\n\r\nok"))
    assert not caught.value.retryable


def test_a_refusal_is_retryable_while_the_api_server_is_not_ready(
    serve: Serve,
) -> None:
    with pytest.raises(
        ClusterError, match=r"not report at /readyz that it is ready.*may not get"
    ) as caught:
        get(serve(REFUSED))
    assert caught.value.retryable


def test_the_client_of_a_connection_waits_for_an_answer_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Configuration, "_default", None)  # loading a kubeconfig sets it
    asked: list[bytes] = []
    with serving(b"", hang=True, asked=asked) as double:
        hook = cluster_of(double.configuration.host)
        with pytest.raises(ReadTimeoutError):
            hook.core_v1_client.read_namespaced_pod("p", "apps", _request_timeout=(1, 0.3))
    assert len(asked) == 1


@pytest.mark.parametrize(
    "content",
    [
        chunked(ADDED, b'{"type":"MODI'),
        chunked(ADDED, b"<html>\n"),
        chunked(ADDED, b'{"type":"ERROR","object":{"code":410}}\n') + chunk(b""),
        chunked(ADDED) + chunk(b""),
    ],
    ids=["cut", "garbled", "error", "ended"],
)
def test_a_watch_ends_when_the_server_ends_it(
    serve: Serve, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api_server, "SHORTEST_WATCH_SECONDS", 0.1)
    assert watched(serve(content)) == ["ADDED"]


def test_a_loop_of_watches_does_not_flood_a_server_that_ends_them_at_once(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api_server, "SHORTEST_WATCH_SECONDS", 0.3)
    server = serve(chunked() + chunk(b""))
    begin = time.monotonic()
    assert watched(server) == []
    assert time.monotonic() - begin >= api_server.SHORTEST_WATCH_SECONDS


def test_the_minimum_duration_never_extends_a_short_watch(serve: Serve) -> None:
    server = serve(chunked() + chunk(b""))
    begin = time.monotonic()
    assert watched(server, seconds=0.2) == []
    assert time.monotonic() - begin < api_server.SHORTEST_WATCH_SECONDS


def test_a_caller_that_stops_early_does_not_wait(serve: Serve) -> None:
    server = serve(chunked(ADDED) + chunk(b""))
    begin = time.monotonic()
    for _ in server.watch("v1", "Pod", "p", "apps", seconds=5):
        break
    assert time.monotonic() - begin < api_server.SHORTEST_WATCH_SECONDS
