"""A TCP forwarder before the real registry; closing it makes an outage."""

from __future__ import annotations

import contextlib
import shutil
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

from sandbox.core.settings import SETTINGS
from tests.integration.servers import relay


class Door:
    """``host`` is the login server. After ``shut`` the port refuses connections."""

    def __init__(self) -> None:
        self._port = 0
        self._joined: list[socket.socket] = []
        self.open()
        self.host = f"{SETTINGS.pod_gateway}:{self._port}"

    def open(self) -> None:
        self._listener = socket.create_server((SETTINGS.pod_gateway, self._port))
        self._port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def shut(self) -> None:
        """Stop listening, and cut open connections."""
        for one in (self._listener, *self._joined):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        self._joined.clear()

    def _accept(self, listener: socket.socket) -> None:
        host, _, port = SETTINGS.registry.partition(":")
        with contextlib.suppress(OSError):
            while True:
                caller, _ = listener.accept()
                far = socket.create_connection((host, int(port)), 5)
                self._joined += [caller, far]
                relay(caller, far)


@contextlib.contextmanager
def door() -> Iterator[Door]:
    """A forwarder whose host the engine trusts."""
    made = Door()
    trust = Path("/etc/docker/certs.d") / made.host
    trust.mkdir(parents=True)
    shutil.copyfile(SETTINGS.ca, trust / "ca.crt")
    try:
        yield made
    finally:
        made.shut()
        shutil.rmtree(trust)
