"""Other ways to the API server: another address, and an HTTP proxy."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.integration.servers import relay


@contextlib.contextmanager
def forwarding(host: str, target: str) -> Iterator[str]:
    """Forward a free port of ``host`` to ``target`` (``host:port``); yields ``host:port``."""
    with socket.create_server((host, 0)) as listener:
        _serve(listener, lambda _: target)
        yield f"{host}:{listener.getsockname()[1]}"


@dataclass
class Proxy:
    """An HTTP proxy and the targets of its CONNECT requests."""

    url: str
    asked: list[str] = field(default_factory=list)


@contextlib.contextmanager
def connect_proxy() -> Iterator[Proxy]:
    """An HTTP proxy that accepts only CONNECT."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        proxy = Proxy(f"http://127.0.0.1:{listener.getsockname()[1]}")

        def greet(caller: socket.socket) -> str:
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                head += caller.recv(1)
            method, target, _ = head.split(b"\r\n")[0].decode().split(" ")
            assert method == "CONNECT"
            proxy.asked.append(target)
            caller.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            return target

        _serve(listener, greet)
        yield proxy


def _serve(listener: socket.socket, greet: Any) -> None:
    """Join each caller with the target that ``greet`` names, until the listener is closed."""

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                caller, _ = listener.accept()
                host, _, port = greet(caller).partition(":")
                far = socket.create_connection((host, int(port)), 5)
                relay(caller, far)

    threading.Thread(target=accept, daemon=True).start()
