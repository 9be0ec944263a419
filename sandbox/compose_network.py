"""The compose stack's way out of its bridge, and its way to what listens on loopback.

Docker makes the bridge; our engine has no firewall rules of its own, so they are made here.
"""

from __future__ import annotations

import ipaddress
import subprocess
from pathlib import Path

from sandbox import process
from sandbox.process import run
from sandbox.settings import SETTINGS

_COMMENT = "manifest-engine-compose"
_RELAYS = {
    "compose-artifactory": SETTINGS.artifactory_port,
    "compose-gateway": SETTINGS.gateway_port,
}
"""Ports of loopback that also listen on the pod bridge while the stack is up."""


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
    if Path("/sys/class/net", SETTINGS.compose_bridge).exists():  # the engine is gone, it is not
        run(["ip", "link", "delete", SETTINGS.compose_bridge], what="deleting a bridge")


def _rules() -> list[tuple[str, list[str]]]:
    """Table and rule, as the part "network" has them for the other bridges."""
    bridge, network = SETTINGS.compose_bridge, str(ipaddress.ip_network(SETTINGS.compose_network))
    tag = ["-m", "comment", "--comment", _COMMENT]
    answers = ["-m", "conntrack", "--ctstate", "RELATED,ESTABLISHED"]
    return [
        ("filter", ["FORWARD", "-i", bridge, *tag, "-j", "ACCEPT"]),
        ("filter", ["FORWARD", "-o", bridge, *answers, *tag, "-j", "ACCEPT"]),
        ("filter", ["INPUT", "-i", bridge, *tag, "-j", "ACCEPT"]),
        ("nat", ["POSTROUTING", "-s", network, "!", "-o", bridge, *tag, "-j", "MASQUERADE"]),
    ]


def _present(table: str, rule: list[str]) -> bool:
    words = ["iptables", "-w", "-t", table, "-C", *rule]
    try:
        return subprocess.run(words, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False
