"""A double of Artifactory over a real socket, as strict as the real server, with faults on demand.

The headers are those of published dumps: the ETag is the SHA-1 without quotes in
https://github.com/pypa/pip/issues/8723 (2020-08-07, Artifactory 6.18.1) and
https://github.com/prefix-dev/async_http_range_reader/pull/5 (2024-02-17, 7.78.3).
"""

from __future__ import annotations

import hashlib
import json
import re
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

TOKEN = "token-of-the-reader"
PATH = "datafactory/pricing/quote-service/1.4.0/quote-service-1.4.0.zip"

Fault = Callable[["Handler"], bool]
"""Returns True if it has handled the request by a fault, or False to handle it normally."""


class Handler(BaseHTTPRequestHandler):
    """Answers GET requests for file info and files, and records every request."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # otherwise each answer waits 40 ms between head and body
    double: Double

    def do_GET(self) -> None:
        self.double.requests.append((self.path, dict(self.headers)))
        for fault in self.double.faults:
            if fault(self):
                return
        path = unquote(urlsplit(self.path).path)
        if self.headers.get("Authorization") not in self.double.accepted:
            self.refuse(401, "Bad credentials")
        elif path == "/artifactory/api/system/ping":
            self.answer(200, b"OK", {})
        elif path in self.double.info_paths:
            self.answer(200, json.dumps(self.double.info).encode(), {})
        elif path == f"/artifactory/{PATH}":
            self.send_file(self.double.content)
        else:
            self.refuse(404, "Unable to find item")

    def send_file(self, content: bytes, cut: int | None = None) -> None:
        """Send the file or a range (RFC 9110); after ``cut`` bytes the connection ends."""
        sha1 = hashlib.sha1(content).hexdigest()
        headers = {
            "X-JFrog-Version": "Artifactory/7.78.3 77803900",
            "ETag": sha1,
            "X-Checksum-Sha1": sha1,
            "X-Checksum-Sha256": hashlib.sha256(content).hexdigest(),
            "Accept-Ranges": "bytes",
        }
        part = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if part and "If-Range" not in self.headers:  # an unquoted ETag never matches (RFC 9110)
            start = int(part[1])
            if start >= len(content):
                self.refuse(416, "Requested Range Not Satisfiable")
                return
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
            self.answer(206, content[start:], headers, cut)
        else:
            self.answer(200, content, headers, cut)

    def refuse(self, status: int, message: str, headers: dict[str, str] | None = None) -> None:
        document = {"errors": [{"status": status, "message": message}]}
        self.answer(status, json.dumps(document).encode(), headers or {})

    def answer(
        self, status: int, body: bytes, headers: dict[str, str], cut: int | None = None
    ) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[:cut])
        if cut is not None and cut < len(body):
            self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Log nothing."""


class Double:
    """The content of the server, and its requests."""

    def __init__(self, port: int, content: bytes, scheme: str) -> None:
        self.url = f"{scheme}://127.0.0.1:{port}/artifactory"
        self.port = port
        self.content = content
        self.accepted = {f"Bearer {TOKEN}"}
        self.info_paths = {f"/artifactory/api/storage/{PATH}"}
        self.faults: list[Fault] = []
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.info: dict[str, Any] = {
            "size": str(len(content)),  # a string, as in the real answer
            "checksums": {"sha256": hashlib.sha256(content).hexdigest()},
        }

    @property
    def downloads(self) -> list[dict[str, str]]:
        """The headers of all requests for the file itself."""
        return [headers for path, headers in self.requests if "/api/" not in path]

    def times(self, count: int, fault: Callable[[Handler], None], *, api: bool = False) -> None:
        """Apply the fault to the next ``count`` requests: for the file, or for file info."""
        left = count

        def misbehave(handler: Handler) -> bool:
            nonlocal left
            if left <= 0 or ("/api/" in handler.path) != api:
                return False
            left -= 1
            fault(handler)
            return True

        self.faults.append(misbehave)


@contextmanager
def artifactory(content: bytes, tls: ssl.SSLContext | None = None) -> Iterator[Double]:
    """Serve until the block ends."""
    handler = type("Bound", (Handler,), {})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    # In some tests the client closes a connection in the middle.
    server.handle_error = lambda *_: None  # type: ignore[method-assign]
    handler.double = Double(server.server_port, content, "https" if tls else "http")  # type: ignore[attr-defined]
    thread = threading.Thread(target=lambda: server.serve_forever(poll_interval=0.01))
    thread.start()
    try:
        yield handler.double  # type: ignore[attr-defined]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
