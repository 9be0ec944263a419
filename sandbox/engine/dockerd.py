"""A Docker engine of ours with a containerd of its own; as many side by side as there are slots."""

from __future__ import annotations

import ipaddress
import json
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from sandbox.core import pki, process
from sandbox.core.part import wait_until
from sandbox.core.settings import SETTINGS
from sandbox.engine import docker_cli
from sandbox.machine import mounts

_SLOTS_PREFIX = 27
"""Eight engines share the engine bridge, each with an eighth of its addresses."""


@dataclass(frozen=True)
class Daemon:
    """One engine. Everything that it makes is under ``folder``, its address from ``slot``'s share.

    ``name`` names folder and processes, ``slot`` is 0 to 7, ``containerd_store`` keeps images in
    containerd, ``tls_address`` (``ip:port``) adds a TCP listener that demands a certificate of the
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
        """What to put into DOCKER_HOST."""
        return f"unix://{self.folder}/docker.sock"

    def start(self) -> None:
        """Start it and return when it answers; raises SandboxError with the log's last line."""
        self.folder.mkdir(parents=True, exist_ok=True)
        pki.authority()
        socket = self._start_containerd()
        configuration = self.folder / "daemon.json"
        configuration.write_text(json.dumps(self._configuration(socket), indent=2))
        # /etc/docker/certs.d speaks for the registry's own address. With containerd's image store
        # that is not enough: the token server beside it must be trusted, too.
        trust = {"SSL_CERT_FILE": str(SETTINGS.ca_bundle)}
        process.start(self.name, ["dockerd", "--config-file", configuration], env=trust)
        wait_until(self.ready, 40, f"dockerd ({self.name})")

    def ready(self) -> str | None:
        if problem := process.require_alive(self.name):
            return problem
        return None if docker_cli.engine_answers(self.host, 2) else f"{self.host} does not answer"

    def stop(self) -> None:
        """Leave no container, process, mount or file."""
        if process.find(self.name) is not None:
            self._remove_containers()
        process.stop(self.name)
        process.stop(self._containerd_name)
        self._kill_shims()
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
        """A containerd that dockerd started would not be used if the machine had one already."""
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
            # The bridge, its forwarding and its firewall rules are the part "network"'s.
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

    def _kill_shims(self) -> None:
        """Shims and what they run survive a containerd that was killed."""
        shims = [shim for shim in psutil.process_iter() if self._is_our_shim(shim)]
        family = [member for shim in shims for member in [*_children(shim), shim]]
        for member in family:
            with suppress(psutil.NoSuchProcess):
                member.kill()
        psutil.wait_procs(family, timeout=5)

    def _is_our_shim(self, candidate: psutil.Process) -> bool:
        with suppress(psutil.NoSuchProcess):
            words = candidate.cmdline()
            return bool(words) and "containerd-shim" in words[0] and self._under(words)
        return False

    def _under(self, words: list[str]) -> bool:
        return any(word.startswith(f"{self.folder}/") for word in words)


def _children(parent: psutil.Process) -> list[psutil.Process]:
    with suppress(psutil.NoSuchProcess):
        return parent.children(recursive=True)
    return []
