"""A proxy before the API server that counts what is asked, since nothing there counts by client."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

_HOP = {"transfer-encoding", "content-length", "connection", "content-encoding"}


class Counting:
    """The counts, by method and path."""

    def __init__(self, port: int) -> None:
        self.port = port
        """Of this machine, without TLS."""
        self.asked: Counter[str] = Counter()

    def taken(self) -> Counter[str]:
        """What was counted since the last call."""
        found, self.asked = self.asked, Counter()
        return found


@contextmanager
def counting(cluster: Any) -> Iterator[Counting]:
    """Serve on a free port of this machine, with the credentials of ``cluster``."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _pass_on(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(length) if length else None
            split = urlsplit(self.path)
            kind = "WATCH" if "watch=" in split.query.lower() else self.command
            counts.asked[f"{kind} {split.path}"] += 1
            headers = {
                key: text
                for key, text in self.headers.items()
                if key.lower() not in _HOP | {"host", "accept-encoding"}
            }
            answer = cluster.rest_client.pool_manager.request(
                self.command, cluster.configuration.host + self.path, headers=headers,
                body=body, preload_content=False, retries=False,
            )  # fmt: skip
            self.send_response(answer.status)
            for key, text in answer.headers.items():
                if key.lower() not in _HOP:
                    self.send_header(key, text)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            try:
                for chunk in answer.stream(1 << 16, decode_content=False):
                    self.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
                self.wfile.write(b"0\r\n\r\n")
            except OSError:  # who watched has seen enough
                self.close_connection = True
            finally:
                answer.close()

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _pass_on  # noqa: N815 - http.server names them

        def log_message(self, *_what: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    counts = Counting(server.server_port)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield counts
    finally:
        server.shutdown()
        server.server_close()
