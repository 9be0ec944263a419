"""The compose stack's bridges, firewall rules, and relays to services on loopback.

Docker makes the bridges. The sandbox's engine writes no firewall rules, so this module writes them.
Unlike Docker's rules they do not separate the bridges from each other, so only the builders'
firewall keeps builds from the other networks.
"""

from __future__ import annotations

import ipaddress
import subprocess
from pathlib import Path
from typing import Any

from sandbox.core import process
from sandbox.core.process import run
from sandbox.core.settings import SETTINGS
from sandbox.machine.network import bridge_rules

_COMMENT = "manifest-engine-compose"
_PREFIX = 27
"""30 addresses for each network."""
_NAMES = ("default", "outside", "builders", "database", "broker", "storage")
_RELAYS = {
    "compose-artifactory": SETTINGS.artifactory_port,
    "compose-gateway": SETTINGS.gateway_port,
}
"""Loopback ports that are relayed from the pod bridge while the stack is up."""


def networks() -> dict[str, dict[str, Any]]:
    """The networks of docker-compose.yaml with fixed bridges and addresses."""
    return {
        name: {
            "driver_opts": {"com.docker.network.bridge.name": bridge},
            "ipam": {"config": [{"subnet": subnet}]},
        }
        for name, (bridge, subnet) in _bridges().items()
    }


def start() -> None:
    for table, rule in _rules():
        if not _present(table, rule):
            run(["iptables", "-w", "-t", table, "-I", *rule], what="adding a firewall rule")
    for name, port in _RELAYS.items():
        place = f"TCP-LISTEN:{port},bind={SETTINGS.pod_gateway},fork,reuseaddr"
        process.start(name, ["socat", place, f"TCP:127.0.0.1:{port}"])


def stop() -> None:
    for name in _RELAYS:
        process.stop(name)
    for table, rule in _rules():
        while _present(table, rule):
            run(["iptables", "-w", "-t", table, "-D", *rule], what="deleting a firewall rule")
    for bridge, _ in _bridges().values():
        if Path("/sys/class/net", bridge).exists():  # the engine did not delete it
            run(["ip", "link", "delete", bridge], what="deleting a bridge")


def _bridges() -> dict[str, tuple[str, str]]:
    """Bridge and subnet by network."""
    subnets = ipaddress.ip_network(SETTINGS.compose_network).subnets(new_prefix=_PREFIX)
    return {
        name: (f"{SETTINGS.compose_bridge}{number}", str(subnet))
        for number, (name, subnet) in enumerate(zip(_NAMES, subnets, strict=False))
    }


def _rules() -> list[tuple[str, list[str]]]:
    pairs = _bridges().values()
    return [rule for bridge, net in pairs for rule in bridge_rules(bridge, net, _COMMENT)]


def _present(table: str, rule: list[str]) -> bool:
    words = ["iptables", "-w", "-t", table, "-C", *rule]
    try:
        return subprocess.run(words, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False
