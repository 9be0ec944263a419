"""A double of an API server that sends the given bytes, and can break off in the middle."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from kubernetes.client import ApiClient, Configuration
from manifest_engine.hooks.kubernetes.api_server import reading_once

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n"


@contextmanager
def serving(
    content: bytes,
    *,
    hang: bool = False,
    asked: list[bytes] | None = None,
    readyz: bytes | None = None,
) -> Iterator[ApiClient]:
    """A client of a server that answers every request with these bytes, then closes or hangs.

    :param asked: collects the requests.
    :param readyz: the answer for /readyz, if it differs.
    """
    done = threading.Event()
    listening = socket.create_server(("127.0.0.1", 0))

    def answer() -> None:
        with suppress(OSError):
            while True:
                taken, _ = listening.accept()
                threading.Thread(target=speak, args=(taken,), daemon=True).start()

    def speak(taken: socket.socket) -> None:
        with suppress(OSError), taken:
            request = taken.recv(65536)
            if asked is not None:
                asked.append(request)
            asks_whether_ready = request.startswith(b"GET /readyz ")
            taken.sendall(readyz if readyz and asks_whether_ready else content)
            if hang:
                done.wait(10)

    threading.Thread(target=answer, daemon=True).start()
    host, port = listening.getsockname()
    yield reading_once(ApiClient(Configuration(host=f"http://{host}:{port}")))
    done.set()
    with suppress(OSError):
        listening.shutdown(socket.SHUT_RDWR)
    listening.close()


def chunk(content: bytes) -> bytes:
    """One chunk of an answer with chunked encoding."""
    return b"%x\r\n%s\r\n" % (len(content), content)


def chunked(*contents: bytes) -> bytes:
    """A chunked answer that breaks off before its last chunk."""
    return HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"".join(map(chunk, contents))
