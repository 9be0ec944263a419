"""Every HTTP answer is read up to a limit, also when it is compressed."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import requests
from manifest_engine.domain.core.printable import ANSWER_MAX
from manifest_engine.hooks.core import http_answers


class _Server(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(403 if self.path == "/refused" else 200)
        packed = self.path == "/packed"
        if packed:
            self.send_header("Content-Encoding", "gzip")
        self.end_headers()
        if self.path == "/small":
            self.wfile.write(b'{"a": 1}')
        elif packed:
            self.wfile.write(gzip.compress(b"\0" * (ANSWER_MAX + 1)))
        else:
            try:
                for _ in range(ANSWER_MAX // 1_000_000 + 20):
                    self.wfile.write(b"x" * 1_000_000)
            except OSError:
                self.server.cut = True  # type: ignore[attr-defined]

    def log_message(self, *_args: object) -> None:
        """Log nothing."""


@pytest.fixture
def url() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Server)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_a_small_answer_is_read(url):
    assert http_answers.session().get(f"{url}/small", timeout=5).json() == {"a": 1}
    with requests.get(f"{url}/small", timeout=5, stream=True) as answer:
        http_answers.read(answer)
        assert answer.json() == {"a": 1}


@pytest.mark.parametrize("path", ["large", "packed"])
def test_a_large_answer_is_refused(url, path):
    with pytest.raises(http_answers.TooLarge, match=f"/{path} answers more than 8 MiB"):
        http_answers.session().get(f"{url}/{path}?token=x", timeout=5)


def test_only_the_beginning_of_an_error_answer_is_read(url):
    with requests.get(f"{url}/refused", timeout=5, stream=True) as answer:
        http_answers.read_refusal(answer)
        assert answer.content == b"x" * http_answers.REFUSAL_MAX
