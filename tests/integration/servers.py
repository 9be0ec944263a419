"""Servers and TCP relays that tests start."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from typing import IO

from sandbox.core.settings import REPOSITORY


def free_port(host: str = "127.0.0.1") -> int:
    with socket.socket() as listener:
        listener.bind((host, 0))
        return int(listener.getsockname()[1])


@contextlib.contextmanager
def serving(words: list[str], host: str, port: int, log: IO[bytes] | None = None) -> Iterator[None]:
    """Run a server until the end of the block; begins once the port accepts connections.

    :param log: file for the server's output; default: the output of the tests.
    """
    process = subprocess.Popen(words, cwd=REPOSITORY, stdout=log, stderr=log)
    deadline = time.monotonic() + 20
    try:
        while True:
            try:
                socket.create_connection((host, port), 1).close()
                break
            except OSError:
                assert process.poll() is None, f"{words} did not start"
                assert time.monotonic() < deadline, f"{words} does not listen"
                time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait(10)


def relay(one: socket.socket, other: socket.socket) -> None:
    """Copy between two connections in both directions, in threads, until they end."""
    for source, target in ((one, other), (other, one)):
        threading.Thread(target=_copy, args=(source, target), daemon=True).start()


def _copy(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while block := source.recv(65536):
            target.sendall(block)
        target.shutdown(socket.SHUT_WR)
