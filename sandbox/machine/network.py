"""A bridge for pods and a bridge for builds, with the firewall rules for their traffic.

Host, engine, builds, containerd and pods find the sandbox's services at the host's address on the
pod bridge. No service listens on an interface that leads off the machine.
"""

from __future__ import annotations

import ipaddress
import json
import os
import shlex
import shutil
from pathlib import Path

from sandbox.core.part import Part, SandboxError
from sandbox.core.process import run
from sandbox.core.settings import SETTINGS
from sandbox.machine import sysctl

_COMMENT = "manifest-engine"
_FORWARD = "net.ipv4.ip_forward"
_BRIDGED = "net.bridge.bridge-nf-call-iptables"
"""Translates packets between two pods on the same bridge, for calls of a Service. Missing if the
kernel module is not loaded."""
_BRIDGES = (
    (SETTINGS.pod_bridge, SETTINGS.pod_network, SETTINGS.pod_gateway),
    (SETTINGS.engine_bridge, SETTINGS.engine_network, SETTINGS.engine_gateway),
)


class Network(Part):
    """The bridges ``me-pods`` and ``me-engine``."""

    name = "network"
    needs = ("packages",)

    def where(self) -> str:
        return ", ".join(f"{bridge} {gateway}" for bridge, _, gateway in _BRIDGES)

    def ready(self) -> str | None:
        for bridge, _, _ in _BRIDGES:
            if not _exists(bridge):
                return f"the bridge {bridge} does not exist"
        if sysctl.current(_FORWARD) != "1":
            return f"{_FORWARD} is 0"
        if shutil.which("iptables") is None:
            return "iptables is missing"
        if len(_present_rules()) < len(_desired_rules()):
            return "firewall rules are missing"
        return None

    def start(self) -> None:
        if os.geteuid() != 0:
            raise SandboxError("bridges and firewall rules need root: run as root, or with sudo")
        _record_tables()
        for bridge, network, gateway in _BRIDGES:
            _refuse_foreign_route(bridge, network)
            if not _exists(bridge):
                # Without a fixed hardware address, a bridge changes its address with its ports,
                # and the ARP entries of running pods become stale.
                words = ["ip", "link", "add", bridge, "address", _hardware_address(gateway)]
                run([*words, "type", "bridge"], what=f"making bridge {bridge}")
            length = ipaddress.ip_network(network).prefixlen
            run(
                ["ip", "address", "replace", f"{gateway}/{length}", "dev", bridge],
                what=f"giving {bridge} the address {gateway}",
            )
            run(["ip", "link", "set", bridge, "up"], what=f"setting {bridge} up")
        sysctl.change(_FORWARD, "1")
        sysctl.change(_BRIDGED, "1")
        if len(_present_rules()) < len(_desired_rules()):
            _delete_rules()
            for table, rule in _desired_rules():
                run(["iptables", "-w", "-t", table, "-I", *rule], what="adding a firewall rule")

    def stop(self) -> None:
        if shutil.which("iptables"):
            _delete_rules()
            _delete_tables()
        for bridge, _, _ in _BRIDGES:
            if _exists(bridge):
                run(["ip", "link", "delete", bridge], what=f"deleting bridge {bridge}")
        for pair in _orphaned_devices():
            run(["ip", "link", "delete", pair], what=f"deleting the network device {pair}")
        for name in (_FORWARD, _BRIDGED):
            sysctl.restore(name)


def _exists(bridge: str) -> bool:
    return Path("/sys/class/net", bridge).exists()


def _orphaned_devices() -> list[str]:
    """Network devices of containers that a killed engine did not finish."""
    devices = json.loads(run(["ip", "-j", "link", "show", "type", "veth"], what="reading devices"))
    addresses = ipaddress.ip_network(SETTINGS.engine_network)
    # Docker's hardware addresses follow from the container's IP address.
    mine = {_hardware_address(str(address)) for address in addresses}
    return [item["ifname"] for item in devices if item["address"] in mine]


def _hardware_address(gateway: str) -> str:
    """A locally administered hardware address, derived from the IP address."""
    return "02:42:" + ":".join(f"{byte:02x}" for byte in ipaddress.ip_address(gateway).packed)


def _refuse_foreign_route(bridge: str, network: str) -> None:
    for route in json.loads(run(["ip", "-j", "-4", "route", "show"], what="reading routes")):
        if route["dst"] == "default" or route.get("dev") == bridge:
            continue
        if ipaddress.ip_network(route["dst"]).overlaps(ipaddress.ip_network(network)):
            raise SandboxError(
                f"{network} overlaps the route {route['dst']} on {route.get('dev')}: set another "
                "network with SANDBOX_POD_NETWORK and SANDBOX_POD_GATEWAY, or SANDBOX_ENGINE_…"
            )


def bridge_rules(bridge: str, network: str, comment: str) -> list[tuple[str, list[str]]]:
    """Table and rule (iptables, without the command) for the traffic of a bridge.

    Docker sets FORWARD to DROP, and some machines set INPUT to DROP. The rules allow all traffic
    out of the bridge and only answers into it, so the machine's network cannot reach pods.
    """
    tag = ["-m", "comment", "--comment", comment]
    answers = ["-m", "conntrack", "--ctstate", "RELATED,ESTABLISHED"]
    return [
        ("filter", ["FORWARD", "-i", bridge, *tag, "-j", "ACCEPT"]),
        ("filter", ["FORWARD", "-o", bridge, *answers, *tag, "-j", "ACCEPT"]),
        ("filter", ["INPUT", "-i", bridge, *tag, "-j", "ACCEPT"]),
        ("nat", ["POSTROUTING", "-s", network, "!", "-o", bridge, *tag, "-j", "MASQUERADE"]),
    ]


def _desired_rules() -> list[tuple[str, list[str]]]:
    return [rule for name, network, _ in _BRIDGES for rule in bridge_rules(name, network, _COMMENT)]


def _present_rules() -> list[tuple[str, list[str]]]:
    rules = []
    for table in ("filter", "nat"):
        saved = run(["iptables-save", "-t", table], what="reading firewall rules")
        for line in saved.splitlines():
            if line.startswith("-A ") and f"--comment {_COMMENT} " in line.replace('"', ""):
                rules.append((table, shlex.split(line)[1:]))
    return rules


def _delete_rules() -> None:
    for table, rule in _present_rules():
        run(["iptables", "-w", "-t", table, "-D", *rule], what="deleting a firewall rule")


def _tables() -> set[str]:
    """The nftables tables that iptables creates. Legacy iptables creates none."""
    listing = run(["nft", "list", "tables"], what="reading firewall tables").splitlines()
    return {line.removeprefix("table ") for line in listing} & {"ip filter", "ip nat"}


def _record_tables() -> None:
    note = SETTINGS.state / "tables-before"
    if not note.exists():
        note.parent.mkdir(parents=True, exist_ok=True)
        note.write_text("\n".join(sorted(_tables())))


def _delete_tables() -> None:
    """Delete the tables that iptables made for our rules, unless they have other rules."""
    note = SETTINGS.state / "tables-before"
    if not note.exists():
        return
    for table in _tables() - set(note.read_text().splitlines()):
        saved = run(["iptables-save", "-t", table.split()[1]], what="reading firewall rules")
        chains = [line for line in saved.splitlines() if line.startswith((":", "-A"))]
        # ":INPUT ACCEPT [0:0]" is an unused built-in chain
        if all(line.startswith(":") and " ACCEPT " in line for line in chains):
            run(["nft", "delete", "table", *table.split()], what=f"deleting table {table}")
    note.unlink()
