"""A Docker engine of the sandbox with its own containerd. Eight can run at the same time."""

from __future__ import annotations

import ipaddress
import json
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox.core import pki, process
from sandbox.core.part import wait_until
from sandbox.core.settings import SETTINGS
from sandbox.engine import docker_cli
from sandbox.machine import mounts

_SLOTS_PREFIX = 27
"""Splits the addresses of the engine bridge into eight slots, one per engine."""


@dataclass(frozen=True)
class Daemon:
    """One engine, with all its files below ``folder``.

    :param name: name of the folder and of the processes.
    :param slot: 0 to 7, the range of the containers' addresses.
    :param containerd_store: keep images in containerd.
    :param tls_address: ``ip:port`` of a TCP listener that requires a client certificate of the
        sandbox's authority.
    """

    name: str = "engine"
    slot: int = 0
    containerd_store: bool = False
    tls_address: str | None = None

    @property
    def folder(self) -> Path:
        return SETTINGS.state / self.name

    @property
    def host(self) -> str:
        """The value of DOCKER_HOST."""
        return f"unix://{self.folder}/docker.sock"

    def start(self) -> None:
        """Start the engine and wait until it answers. Raises SandboxError."""
        self.folder.mkdir(parents=True, exist_ok=True)
        pki.authority()
        socket = self._start_containerd()
        configuration = self.folder / "daemon.json"
        configuration.write_text(json.dumps(self._configuration(socket), indent=2))
        # /etc/docker/certs.d covers the registry. containerd's image store also has to trust the
        # token server.
        trust = {"SSL_CERT_FILE": str(SETTINGS.ca_bundle)}
        process.start(self.name, ["dockerd", "--config-file", configuration], env=trust)
        wait_until(self.ready, 40, f"dockerd ({self.name})")

    def ready(self) -> str | None:
        if problem := process.require_alive(self.name):
            return problem
        return None if docker_cli.engine_answers(self.host, 2) else f"{self.host} does not answer"

    def stop(self) -> None:
        """Remove containers, processes, mounts and files."""
        if process.find(self.name) is not None:
            self._remove_containers()
        process.stop(self.name)
        process.stop(self._containerd_name)
        process.kill_shims(lambda words: any(w.startswith(f"{self.folder}/") for w in words))
        mounts.remove(self.folder)
        for shared in (
            "/run/containerd/s",
            "/run/containerd",
            "/run/docker/plugins",
            "/run/docker",
        ):
            mounts.remove_if_empty(Path(shared))

    @property
    def _containerd_name(self) -> str:
        return f"{self.name}-containerd"

    def _start_containerd(self) -> Path:
        """Start containerd. dockerd by itself would use the containerd of the machine."""
        home = self.folder / "containerd"
        home.mkdir(exist_ok=True)
        socket = home / "containerd.sock"
        configuration = home / "config.toml"
        configuration.write_text(
            "version = 2\n"
            'disabled_plugins = ["io.containerd.grpc.v1.cri"]\n'
            f'root = "{home}/root"\n'
            f'state = "{home}/state"\n'
            f'[grpc]\naddress = "{socket}"\n'
            f'[ttrpc]\naddress = "{socket}.ttrpc"\n'
            f'[plugins."io.containerd.internal.v1.opt"]\npath = "{home}/opt"\n'
        )
        process.start(self._containerd_name, ["containerd", "--config", configuration])
        wait_until(
            lambda: None if socket.exists() else process.require_alive(self._containerd_name) or "",
            20,
            self._containerd_name,
            pause=0.05,
        )
        return socket

    def _configuration(self, containerd: Path) -> dict[str, Any]:
        slots = ipaddress.ip_network(SETTINGS.engine_network).subnets(new_prefix=_SLOTS_PREFIX)
        configuration: dict[str, Any] = {
            "hosts": [self.host],
            "containerd": str(containerd),
            "data-root": str(self.folder / "data"),
            "exec-root": str(self.folder / "exec"),
            "pidfile": str(self.folder / "dockerd.pid"),
            "features": {"containerd-snapshotter": self.containerd_store},
            # The part "network" makes the bridge, forwarding and firewall rules.
            "bridge": SETTINGS.engine_bridge,
            "fixed-cidr": str(list(slots)[self.slot]),
            "iptables": False,
            "ip6tables": False,
            "ip-forward": False,
        }
        if self.tls_address:
            address = self.tls_address.rpartition(":")[0]
            pair = pki.issue(self.name, common_name=self.name, addresses=[address])
            configuration |= {
                "hosts": [self.host, f"tcp://{self.tls_address}"],
                "tlsverify": True,
                "tlscacert": str(pki.authority().certificate),
                "tlscert": str(pair.certificate),
                "tlskey": str(pair.key),
            }
        return configuration

    def _remove_containers(self) -> None:
        argv = [str(docker_cli.find()), "--host", self.host]
        with suppress(subprocess.TimeoutExpired):
            listed = subprocess.run(
                [*argv, "ps", "-aq"], capture_output=True, text=True, timeout=10, check=False
            ).stdout.split()
            if listed:
                words = [*argv, "rm", "-f", "-v", *listed]
                subprocess.run(words, capture_output=True, timeout=60, check=False)
