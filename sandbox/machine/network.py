"""Two bridges, one for pods and one for builds, and the firewall rules that let them out.

The host's address on the pod bridge is the one under which everything finds everything: host,
engine, builds, containerd and pods. Nothing is bound to an interface that leads off the machine.
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
"""A pod that calls a Service whose endpoint is on the same bridge needs its packets translated
there, too. Absent where the kernel module is not loaded."""
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
                return f"there is no bridge {bridge}"
        if sysctl.current(_FORWARD) != "1":
            return f"{_FORWARD} is 0"
        if shutil.which("iptables") is None:
            return "there is no iptables"
        if len(_rules_present()) < len(_rules_wanted()):
            return "firewall rules are missing"
        return None

    def start(self) -> None:
        if os.geteuid() != 0:
            raise SandboxError("bridges and firewall rules need root: run as root, or with sudo")
        _note_tables()
        for bridge, network, gateway in _BRIDGES:
            _refuse_foreign_route(bridge, network)
            if not _exists(bridge):
                # A bridge takes over its lowest port's hardware address unless it has its own:
                # each pod that came or went would make the others' ARP entries stale.
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
        if len(_rules_present()) < len(_rules_wanted()):
            _delete_rules()
            for table, rule in _rules_wanted():
                run(["iptables", "-w", "-t", table, "-I", *rule], what="adding a firewall rule")

    def stop(self) -> None:
        if shutil.which("iptables"):
            _delete_rules()
            _delete_tables()
        for bridge, _, _ in _BRIDGES:
            if _exists(bridge):
                run(["ip", "link", "delete", bridge], what=f"deleting bridge {bridge}")
        for pair in _lost_pairs():
            run(["ip", "link", "delete", pair], what=f"deleting the network device {pair}")
        for name in (_FORWARD, _BRIDGED):
            sysctl.restore(name)


def _exists(bridge: str) -> bool:
    return Path("/sys/class/net", bridge).exists()


def _lost_pairs() -> list[str]:
    """Network devices of containers that an engine was making when it was killed."""
    devices = json.loads(run(["ip", "-j", "link", "show", "type", "veth"], what="reading devices"))
    addresses = ipaddress.ip_network(SETTINGS.engine_network)
    # Docker's hardware addresses follow from the container's IP address.
    mine = {_hardware_address(str(address)) for address in addresses}
    return [item["ifname"] for item in devices if item["address"] in mine]


def _hardware_address(gateway: str) -> str:
    """A locally administered one that follows from the IP address."""
    return "02:42:" + ":".join(f"{byte:02x}" for byte in ipaddress.ip_address(gateway).packed)


def _refuse_foreign_route(bridge: str, network: str) -> None:
    for route in json.loads(run(["ip", "-j", "-4", "route", "show"], what="reading routes")):
        if route["dst"] == "default" or route.get("dev") == bridge:
            continue
        if ipaddress.ip_network(route["dst"]).overlaps(ipaddress.ip_network(network)):
            raise SandboxError(
                f"{network} overlaps the route {route['dst']} on {route.get('dev')}: choose others "
                "by SANDBOX_POD_NETWORK and SANDBOX_POD_GATEWAY, or SANDBOX_ENGINE_…"
            )


def _rules_wanted() -> list[tuple[str, list[str]]]:
    """Table and rule of each, without the verb."""
    tag = ["-m", "comment", "--comment", _COMMENT]
    answers = ["-m", "conntrack", "--ctstate", "RELATED,ESTABLISHED"]
    rules: list[tuple[str, list[str]]] = []
    for bridge, network, _ in _BRIDGES:
        # Docker sets FORWARD to DROP, and some machines' firewalls do so with INPUT. Out of the
        # bridges anywhere, into them only answers: nobody on the machine's network reaches a pod.
        rules += [
            ("filter", ["FORWARD", "-i", bridge, *tag, "-j", "ACCEPT"]),
            ("filter", ["FORWARD", "-o", bridge, *answers, *tag, "-j", "ACCEPT"]),
            ("filter", ["INPUT", "-i", bridge, *tag, "-j", "ACCEPT"]),
            ("nat", ["POSTROUTING", "-s", network, "!", "-o", bridge, *tag, "-j", "MASQUERADE"]),
        ]
    return rules


def _rules_present() -> list[tuple[str, list[str]]]:
    rules = []
    for table in ("filter", "nat"):
        saved = run(["iptables-save", "-t", table], what="reading firewall rules")
        for line in saved.splitlines():
            if line.startswith("-A ") and f"--comment {_COMMENT} " in line.replace('"', ""):
                rules.append((table, shlex.split(line)[1:]))
    return rules


def _delete_rules() -> None:
    for table, rule in _rules_present():
        run(["iptables", "-w", "-t", table, "-D", *rule], what="deleting a firewall rule")


def _tables() -> set[str]:
    """The tables of nftables that iptables may create; none where iptables is the legacy one."""
    listing = run(["nft", "list", "tables"], what="reading firewall tables").splitlines()
    return {line.removeprefix("table ") for line in listing} & {"ip filter", "ip nat"}


def _note_tables() -> None:
    note = SETTINGS.state / "tables-before"
    if not note.exists():
        note.parent.mkdir(parents=True, exist_ok=True)
        note.write_text("\n".join(sorted(_tables())))


def _delete_tables() -> None:
    """Take away the tables that iptables made for our rules, unless others have rules there."""
    note = SETTINGS.state / "tables-before"
    if not note.exists():
        return
    for table in _tables() - set(note.read_text().splitlines()):
        saved = run(["iptables-save", "-t", table.split()[1]], what="reading firewall rules")
        chains = [line for line in saved.splitlines() if line.startswith((":", "-A"))]
        # ":INPUT ACCEPT [0:0]" is an untouched built-in chain
        if all(line.startswith(":") and " ACCEPT " in line for line in chains):
            run(["nft", "delete", "table", *table.split()], what=f"deleting table {table}")
    note.unlink()
