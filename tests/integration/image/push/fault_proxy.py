"""A TLS proxy before the real registry that injects failures of registries."""

from __future__ import annotations

import http.client
import re
import shutil
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from sandbox.core import pki
from sandbox.core.settings import SETTINGS

CUT = 0
"""A status that means: read a part of the request's body, then cut the connection."""
_BLOCK = 1 << 16
_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length"}


@dataclass
class Fault:
    """The first ``times`` requests that match get ``status`` instead of the registry's answer."""

    method: str
    path: str
    status: int
    times: int = 1
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


class FaultProxy(ThreadingHTTPServer):
    """``host`` is its login server; ``requests`` holds method, path and bytes of each request."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__((SETTINGS.pod_gateway, 0), _Handler)
        self.host = f"{SETTINGS.pod_gateway}:{self.server_address[1]}"
        self.faults: list[Fault] = []
        self.requests: list[tuple[str, str, int]] = []
        self._lock = threading.Lock()
        pair = pki.issue("fault-proxy", common_name="fault-proxy", addresses=[SETTINGS.pod_gateway])
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pair.certificate, pair.key)
        self.socket = context.wrap_socket(
            self.socket, server_side=True, do_handshake_on_connect=False
        )
        self.upstream = ssl.create_default_context(cafile=str(SETTINGS.ca))

    def fault(self, method: str, path: str) -> Fault | None:
        with self._lock:
            for fault in self.faults:
                if fault.times and method == fault.method and re.search(fault.path, path):
                    fault.times -= 1
                    return fault
        return None

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Log nothing, because tests cut connections."""


@contextmanager
def running() -> Iterator[FaultProxy]:
    """A proxy that the engine trusts."""
    proxy = FaultProxy()
    trust = Path("/etc/docker/certs.d") / proxy.host
    trust.mkdir(parents=True)
    shutil.copyfile(SETTINGS.ca, trust / "ca.crt")
    threading.Thread(target=proxy.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield proxy
    finally:
        proxy.shutdown()
        proxy.server_close()
        shutil.rmtree(trust)


class _Handler(BaseHTTPRequestHandler):
    server: FaultProxy
    protocol_version = "HTTP/1.1"

    def _take(self) -> None:
        fault = self.server.fault(self.command, self.path)
        if fault and fault.status == CUT:
            self.rfile.read(1)
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True
            return
        body = b"".join(self._body())
        self.server.requests.append((self.command, self.path, len(body)))
        if fault:
            self._say(fault.status, fault.headers, fault.body)
        else:
            self._forward(body)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = _take  # noqa: N815

    def _body(self) -> Iterator[bytes]:
        if self.headers.get("Transfer-Encoding") == "chunked":
            while size := int(self.rfile.readline(), 16):
                yield self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        elif left := int(self.headers.get("Content-Length", 0)):
            yield self.rfile.read(left)

    def _forward(self, body: bytes) -> None:
        upstream = http.client.HTTPSConnection(
            SETTINGS.registry, context=self.server.upstream, timeout=30
        )
        headers = {k: v for k, v in self.headers.items() if k.lower() not in _HOP_BY_HOP}
        upstream.request(self.command, self.path, body, headers)
        answer = upstream.getresponse()
        told = {k: v for k, v in answer.getheaders() if k.lower() not in _HOP_BY_HOP}
        length = answer.getheader("Content-Length")
        self._say(answer.status, told, answer.read(), length)
        upstream.close()

    def _say(
        self, status: int, headers: dict[str, str], body: bytes, length: str | None = None
    ) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", (length or "0") if not body else str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Quiet."""
