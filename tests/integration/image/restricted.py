"""An engine behind compose/builder-firewall.sh, in its own network, as in docker-compose.yaml.

A cloud's machine has a metadata service and other machines in its network. Here they are
addresses at the other end of the virtual cable that leads to the engine's network namespace.
"""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from sandbox.core import process
from sandbox.core.part import wait_until
from sandbox.core.settings import REPOSITORY, SETTINGS
from sandbox.engine import base_image
from sandbox.engine.dockerd import Daemon

_NAMESPACE = "me-restricted"
_CABLE = "me-restricted0"
_FAR, _NEAR = "10.247.0.1", "10.247.0.2"
_METADATA = ("169.254.169.254", "168.63.129.16")
NEIGHBOURS = (_FAR, *_METADATA)
"""Addresses that answer at :data:`PORT`."""
PORT = 8099
INDEX = (SETTINGS.pod_gateway, SETTINGS.index_port)
"""The address that the firewall allows."""


@dataclass(frozen=True)
class RestrictedDaemon(Daemon):
    """An engine that the firewall's script starts, in a network namespace."""

    name: str = "engine-restricted"

    def start(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        socket = self._start_containerd()
        configuration = self.folder / "daemon.json"
        configuration.write_text(json.dumps(self._configuration(socket)))
        # The script runs the entry point of the image docker:dind at the end; this one is shorter.
        entrypoint = self.folder / "dockerd-entrypoint.sh"
        entrypoint.write_text('#!/bin/sh\nexec "$@"\n')
        entrypoint.chmod(0o755)
        script = REPOSITORY / "compose/builder-firewall.sh"
        allowed = f"BUILDER_ALLOWED={INDEX[0]}:{INDEX[1]}"
        # Not "ip netns exec", which also hides the cgroups.
        inside = ["nsenter", f"--net=/run/netns/{_NAMESPACE}", "env", allowed]
        run = ["sh", "-c", 'PATH="$0:$PATH" exec sh "$@"', str(self.folder), str(script)]
        process.start(self.name, [*inside, *run, "dockerd", "--config-file", str(configuration)])
        wait_until(self.ready, 40, f"dockerd ({self.name})")

    def _configuration(self, containerd: Path) -> dict[str, Any]:
        given = super()._configuration(containerd)
        own = ("bridge", "fixed-cidr", "iptables", "ip6tables", "ip-forward")
        return {key: value for key, value in given.items() if key not in own} | {
            "bip": "172.29.0.1/24"
        }


@contextmanager
def running() -> Iterator[RestrictedDaemon]:
    """The engine, with the base image."""
    daemon = RestrictedDaemon()
    with ExitStack() as opened:
        opened.enter_context(_network())
        for address in NEIGHBOURS:
            opened.enter_context(_answering(address))
        opened.callback(daemon.stop)
        daemon.start()
        base_image.load(daemon.host)
        yield daemon


@contextmanager
def _network() -> Iterator[None]:
    outside = ["-s", f"{_NEAR}/32", "!", "-o", _CABLE, "-j", "MASQUERADE"]
    rules = [
        ["iptables", "-t", "nat", "-A", "POSTROUTING", *outside],
        ["iptables", "-I", "FORWARD", "-i", _CABLE, "-j", "ACCEPT"],
        ["iptables", "-I", "FORWARD", "-o", _CABLE, "-j", "ACCEPT"],
    ]
    inside = f"ip -n {_NAMESPACE}"
    _remove(rules)
    try:
        for line in (
            f"ip netns add {_NAMESPACE}",
            f"ip link add {_CABLE} type veth peer name eth0 netns {_NAMESPACE}",
            f"ip address add {_FAR}/24 dev {_CABLE}",
            *(f"ip address add {address}/32 dev {_CABLE}" for address in _METADATA),
            f"ip link set {_CABLE} up",
            f"{inside} link set lo up",
            f"{inside} address add {_NEAR}/24 dev eth0",
            f"{inside} link set eth0 up",
            f"{inside} route add default via {_FAR}",
            *(" ".join(rule) for rule in rules),
        ):
            subprocess.run(line.split(), check=True, capture_output=True)
        yield
    finally:
        _remove(rules)


def _remove(rules: list[list[str]]) -> None:
    for rule in rules:
        words = ["-D" if word in {"-A", "-I"} else word for word in rule]
        while subprocess.run(words, capture_output=True, check=False).returncode == 0:
            pass
    for line in (f"ip link delete {_CABLE}", f"ip netns delete {_NAMESPACE}"):
        subprocess.run(line.split(), capture_output=True, check=False)


@contextmanager
def _answering(address: str) -> Iterator[None]:
    server = ThreadingHTTPServer((address, PORT), _Handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        with suppress(OSError):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"credentials")

    def log_message(self, *_: Any) -> None:
        """Silent."""
