"""The prober against a real HTTP server on this machine."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from manifest_engine.hooks.route import public_url
from manifest_engine.operators.smoke import prober


@contextmanager
def serving(*answers: tuple[int, str], port: int = 0) -> Iterator[int]:
    """A server that sends each answer once and repeats the last answer."""
    left = list(answers)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            status, body = left.pop(0) if len(left) > 1 else left[0]
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", port), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()


def probe(port, *, status=200, body=None, timeout=5):
    return prober.probe(
        {
            "digest": "sha256:d",
            "runId": "run-1",
            "port": port,
            "path": "/health",
            "expectStatus": status,
            "expectBody": body,
            "timeoutSeconds": timeout,
        }
    )


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(prober, "SETTLE_SECONDS", 0.3)
    monkeypatch.setattr(prober, "ANSWERED_PAUSE_SECONDS", 0.05)


def test_the_right_answer_is_a_good_verdict():
    with serving((200, "ok")) as port:
        found = probe(port, body="ok")
    assert (found["ok"], found["problem"], found["status"]) == (True, "", 200)
    assert (found["digest"], found["runId"], found["asked"]) == ("sha256:d", "run-1", "/health")


def test_a_not_yet_answer_is_asked_again(impatient):
    with serving((503, ""), (502, ""), (200, "ok")) as port:
        assert probe(port)["ok"]


def test_a_lasting_wrong_answer_ends_the_probe_early(impatient):
    begin = time.monotonic()
    with serving((404, "nothing here")) as port:
        found = probe(port, timeout=30)
    assert found["problem"] == "answered 404 instead of 200"
    assert found["body"] == "nothing here"
    assert time.monotonic() - begin < 5


def test_an_expected_error_status_is_right():
    with serving((401, "")) as port:
        assert probe(port, status=401)["ok"]


def test_a_redirect_is_an_answer_and_not_followed():
    with serving((302, "")) as port:
        assert probe(port, status=302)["ok"]


def test_a_body_without_the_text_is_wrong(impatient):
    with serving((200, "hello")) as port:
        assert "without 'goodbye' in the body" in probe(port, body="goodbye")["problem"]


def test_silence_until_the_timeout_names_the_port():
    with serving((200, "")) as port:
        pass
    found = probe(port, timeout=0.3)
    assert found["problem"].startswith(f"got no answer on port {port}")
    assert found["status"] is None


def test_the_verdict_fits_a_termination_message(impatient):
    import json

    with serving((500, "\N{SNOWMAN}" * 5000)) as port:
        found = probe(port)
    assert len(json.dumps(found | {"asked": "/" * 1024})) < 4096


def test_the_prober_reads_as_much_of_the_body_as_the_check_of_the_public_url():
    assert prober.BODY_MAX == public_url.BODY_MAX == 1024 * 1024
