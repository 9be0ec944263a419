"""A double of the Docker engine's HTTP API, whose answers each test sets."""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

DOWN = (500, {"message": "the store is locked"})
ABSENT = (404, {"message": "No such image: it"})


class Engine(ThreadingHTTPServer):
    """``image`` is the status and body of every answer about an image, ``api`` the version of the
    API, and ``labels`` are those of the engine."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.image: tuple[int, Any] = ABSENT
        self.api = "1.44"
        self.labels: list[str] = []
        Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def address(self) -> str:
        return f"tcp://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Engine

    def do_GET(self) -> None:
        about_an_image = "/images/" in self.path
        info = {"ApiVersion": self.server.api, "Labels": self.server.labels}
        status, body = self.server.image if about_an_image else (200, info)
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def do_POST(self) -> None:
        self.do_GET()

    def log_message(self, *_: Any) -> None:
        """Log nothing."""
