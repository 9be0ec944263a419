"""A Contour and an Envoy, processes of the machine, that serve one Gateway of the cluster.

Envoy listens on loopback and reaches pods over the pod bridge.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sandbox.core import process
from sandbox.core.process import run
from sandbox.core.settings import SETTINGS
from sandbox.kubernetes.kube import kubeconfig
from sandbox.machine import mounts
from sandbox.routing import binary as gateway_binary

OFFSET = 8000
"""Contour adds this to the listener's port to get Envoy's port."""
PORTS = 6
"""Number of ports of a pair, besides the ports of the Gateway's listeners."""
_GRACE_SECONDS = 0.5
"""Short, because no data is kept."""


def stop_all() -> None:
    """Stop every pair, also the pairs of killed tests."""
    for home in SETTINGS.state.glob("gateway*/"):
        Pair(("", ""), (), home.name.removeprefix("gateway")).stop()


@dataclass(frozen=True)
class Pair:
    """The two processes of one Gateway.

    :param gateway: namespace and name of the Gateway.
    :param ports: ``PORTS`` free ports on loopback.
    :param suffix: suffix of processes and folder; empty for the sandbox's own pair.
    :param ingress_class: class of the Ingresses to serve. ``contour`` also serves Ingresses without
        a class.
    """

    gateway: tuple[str, str]
    ports: Sequence[int]
    suffix: str = ""
    ingress_class: str = "contour"

    @property
    def home(self) -> Path:
        """The folder of the configuration and of Envoy's admin socket."""
        return SETTINGS.state / f"gateway{self.suffix}"

    def start(self) -> None:
        """Start both processes unless they run already."""
        self.home.mkdir(parents=True, exist_ok=True)
        self._start_contour()
        self._start_envoy()

    def stop(self) -> None:
        """Stop both processes and remove the folder, also after an incomplete start."""
        for word in ("envoy", "contour"):
            process.stop(self._process(word), grace=_GRACE_SECONDS)
        mounts.remove(self.home)

    def failure(self) -> str | None:
        """None while both processes run, else one sentence with the end of the log."""
        return process.require_alive(self._process("contour")) or process.require_alive(
            self._process("envoy")
        )

    def ready(self) -> str | None:
        """None if Envoy has its configuration.

        Envoy opens a listener's port only with the first route, so ask its admin socket.
        """
        try:
            with socket.socket(socket.AF_UNIX) as admin:
                admin.settimeout(2)
                admin.connect(str(self._admin))
                admin.sendall(b"GET /ready HTTP/1.1\r\nHost: envoy\r\nConnection: close\r\n\r\n")
                answer = admin.recv(64)
        except OSError as error:
            return f"envoy's admin socket: {error}"
        return None if b" 200 " in answer else "envoy has no configuration yet"

    def _process(self, program: str) -> str:
        return f"{program}{self.suffix}"

    @property
    def _admin(self) -> Path:
        return self.home / "envoy-admin.sock"

    def _start_contour(self) -> None:
        xds, health, metrics, debug, stats, envoy_admin = self.ports
        namespace, name = self.gateway
        config = self.home / "contour.yaml"
        config.write_text(
            json.dumps(  # JSON is YAML
                {
                    "gateway": {"gatewayRef": {"namespace": namespace, "name": name}},
                    "network": {"admin-port": envoy_admin},
                }
            )
        )
        addresses = (
            *("xds", "health", "http", "debug-http", "stats"),
            *("envoy-service-http", "envoy-service-https"),
        )
        # These kinds are not installed, and Contour exits if it cannot watch a kind.
        without = ("tlsroutes", "tcproutes", "backendtlspolicies", "extensionservices")
        # With this option, Contour ignores Ingresses without a class.
        own = self.ingress_class != "contour"
        process.start(
            self._process("contour"),
            [
                gateway_binary.folder() / "contour",
                "serve",
                f"--kubeconfig={kubeconfig()}",
                f"--config-path={config}",
                "--insecure",  # both processes are on loopback
                "--disable-leader-election",
                "--ingress-status-address=127.0.0.1",
                *([f"--ingress-class-name={self.ingress_class}"] if own else []),
                *(f"--{word}-address=127.0.0.1" for word in addresses),
                f"--xds-port={xds}",
                f"--health-port={health}",
                f"--http-port={metrics}",
                f"--debug-http-port={debug}",
                f"--stats-port={stats}",
                *(f"--disable-feature={feature}" for feature in without),
            ],
        )

    def _start_envoy(self) -> None:
        start_file = self.home / "envoy.json"
        contour = gateway_binary.folder() / "contour"
        namespace = self.gateway[0]
        run(
            [contour, "bootstrap", "--xds-address=127.0.0.1", f"--xds-port={self.ports[0]}",
             f"--namespace={namespace}", f"--admin-address={self._admin}", start_file],
            what="contour bootstrap",
        )  # fmt: skip
        process.start(
            self._process("envoy"),
            [
                gateway_binary.folder() / "envoy",
                "--disable-hot-restart",  # else envoy exits with its parent process
                *("--config-path", start_file),
                *("--service-cluster", namespace),
                *("--service-node", "sandbox"),
                *("--concurrency", "2"),  # worker threads
                *("--log-level", "warning"),
            ],
        )
