"""Answers of a public URL; an incomplete answer is a problem with a reason."""

from __future__ import annotations

import socket
import threading

import pytest
from manifest_engine.hooks.route import public_url

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n"


@pytest.fixture
def answering():
    """Serves the given bytes once, then closes the connection or keeps it open; returns the URL."""
    server = socket.create_server(("127.0.0.1", 0))
    sockets = [server]

    def serve(content, *, silent=False):
        def once():
            connection, _ = server.accept()
            sockets.append(connection)
            connection.recv(4096)
            connection.sendall(content)
            if not silent:
                connection.close()

        threading.Thread(target=once, daemon=True).start()
        return f"http://127.0.0.1:{server.getsockname()[1]}/health"

    yield serve
    for opened in sockets:
        opened.close()


def test_a_complete_answer_is_returned(answering):
    answer = public_url.get(answering(HEAD + b"\r\n0123456789"))
    assert (answer.status, answer.body) == (200, "0123456789")


def test_a_connection_that_closes_within_the_body_is_a_problem(answering):
    answer = public_url.get(answering(HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\n012"))
    assert answer.status is None
    assert answer.problem.startswith("Connection broken: ")


def test_a_body_that_never_ends_is_a_timeout(answering, monkeypatch):
    monkeypatch.setattr(public_url, "SECONDS", 0.2)
    answer = public_url.get(answering(HEAD + b"\r\n012", silent=True))
    assert answer.status is None
    assert "Read timed out" in answer.problem


def test_a_body_with_a_wrong_encoding_is_a_problem(answering):
    answer = public_url.get(answering(HEAD + b"Content-Encoding: gzip\r\n\r\n0123456789"))
    assert answer.status is None
    assert "failed to decode it" in answer.problem


def test_a_refused_connection_is_a_problem():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    answer = public_url.get(f"http://127.0.0.1:{port}/health")
    assert answer.status is None
    assert "refused" in answer.problem
