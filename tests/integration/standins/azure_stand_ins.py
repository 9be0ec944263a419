"""Starts Entra ID and Azure Resource Manager, both with faults that tests can activate."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from tests.integration.servers import free_port
from tests.integration.standins.conftest import running

SUBSCRIPTION = "33333333-3333-3333-3333-333333333333"
GROUP = "group"


@dataclass(frozen=True)
class Azure:
    """Addresses of both servers, and their tenant."""

    authority: str
    arm: str
    identity: dict[str, Any]
    ca: Path

    def switch(self, url: str, **faults: int) -> None:
        """Set the faults of one server."""
        answer = requests.put(f"{url}/_faults", json=faults, verify=str(self.ca), timeout=5)
        answer.raise_for_status()


@contextlib.contextmanager
def azure(
    identity: dict[str, Any], tls: Path, folder: Path, registry: str = "registry.example.com"
) -> Iterator[Azure]:
    """Start both. The deployer may read credentials of clusters, the reader may read all.

    :param tls: folder with ``tls.crt`` and ``tls.key`` for 127.0.0.1.
    :param registry: login server of the registry ``sandboxacr``.
    """
    entra_port, port = free_port(), free_port()
    authority = f"https://127.0.0.1:{entra_port}"
    cluster = {
        "subscription": SUBSCRIPTION,
        "group": GROUP,
        "name": "with-entra",
        "server": "https://api.example:443",
        "ca": str(tls / "tls.crt"),
    }
    account = {"client_certificate": str(tls / "tls.crt"), "client_key": str(tls / "tls.key")}
    roles = ("Azure Kubernetes Service Cluster User Role", "Reader")
    config = {
        "tenant": identity["tenant"],
        "entra_keys": f"{authority}/{identity['tenant']}/discovery/v2.0/keys",
        "entra_ca": str(tls / "tls.crt"),
        "clusters": [cluster, {**cluster, "name": "local", **account}],
        "registries": [
            {
                "subscription": SUBSCRIPTION,
                "group": GROUP,
                "name": "sandboxacr",
                "login_server": registry,
            }
        ],
        "assignments": [
            {
                "client_id": item["client_id"],
                "scope": f"/subscriptions/{SUBSCRIPTION}",
                "role": role,
            }
            for item, role in zip(identity["clients"], roles, strict=True)
        ],
    }
    files = {name: folder / f"{name}.json" for name in ("identity", "config")}
    files["identity"].write_text(json.dumps(identity))
    files["config"].write_text(json.dumps(config))
    pair = ("--certificate", tls / "tls.crt", "--key", tls / "tls.key", "--faults")
    with (
        running("azure.entra_server", entra_port, "--identity", files["identity"], *pair),
        running("azure.arm_server", port, "--config", files["config"], *pair),
    ):
        yield Azure(authority, f"https://127.0.0.1:{port}", identity, tls / "tls.crt")
