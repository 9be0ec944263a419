"""Folders, addresses and ports of the sandbox.

An environment variable overrides each field: ``SANDBOX_`` and the field's name in capitals, for
example ``SANDBOX_AIRFLOW_PORT=8090``.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, fields
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
DATABASES = ("postgresql", "sqlite")


@dataclass(frozen=True)
class Settings:
    """Paths, addresses and ports; one sandbox per machine."""

    state: Path = Path.home() / ".local/state/manifest-engine"
    """Sockets, keys, databases, logs and pid files. ``down`` removes this folder."""
    cache: Path = Path.home() / ".cache/manifest-engine"
    """Slow to make, so kept after ``down``: binaries, the base image, downloaded modules."""

    pod_bridge: str = "me-pods"
    pod_network: str = "10.244.0.0/24"
    pod_gateway: str = "10.244.0.1"
    """The host's address on the pod bridge. Engine, builds, containerd, pods and host all reach
    registry, package index and API server at this address."""
    service_network: str = "10.96.0.0/16"
    engine_bridge: str = "me-engine"
    engine_network: str = "10.245.0.0/24"
    engine_gateway: str = "10.245.0.1"
    compose_bridge: str = "me-compose"
    compose_network: str = "10.246.0.0/24"
    """Network of the stack of docker-compose.yaml."""

    airflow_port: int = 8080
    compose_port: int = 8085
    """Airflow's port in the stack of docker-compose.yaml."""
    gateway_port: int = 18080
    """Envoy's port on loopback, for browsers and curl."""
    artifactory_port: int = 8081
    index_port: int = 8083
    registry_port: int = 5443
    token_port: int = 5444
    entra_port: int = 5445
    arm_port: int = 5446
    apiserver_port: int = 6443
    etcd_port: int = 12379

    database: str = "postgresql"
    """The kind of Airflow's database, one of ``DATABASES``."""
    namespace: str = "datafactory"
    """Kubernetes namespace of the environment ``dev``."""
    approved_namespace: str = "datafactory-prod"
    """Kubernetes namespace of the environment ``prod``, where deployments wait for an approval."""
    exempt_namespace: str = "datafactory-stage"
    """Kubernetes namespace of the environment ``stage``, where rebuilds need no approval."""

    @property
    def namespaces(self) -> tuple[str, ...]:
        """The namespaces of all environments."""
        return (self.namespace, self.approved_namespace, self.exempt_namespace)

    kubeconfig: str = ""
    """Kubeconfig of an existing cluster; empty: start the sandbox's own cluster."""

    @classmethod
    def from_environment(cls) -> Settings:
        """Read ``SANDBOX_*``. Raises ValueError with the name of an invalid variable."""
        given: dict[str, object] = {}
        for item in fields(cls):
            variable = f"SANDBOX_{item.name.upper()}"
            text = os.environ.get(variable)
            if text is None:
                continue
            if item.type == "int" and not text.isdigit():
                raise ValueError(
                    f"{variable}={text!r} is not a port number; unset it or give a number"
                )
            given[item.name] = (
                int(text) if item.type == "int" else Path(text) if item.type == "Path" else text
            )
        if (database := given.get("database", cls.database)) not in DATABASES:
            raise ValueError(f"SANDBOX_DATABASE={database!r} must be one of {', '.join(DATABASES)}")
        return cls(**given)  # type: ignore[arg-type]

    @property
    def registry(self) -> str:
        """The registry's login server, ``host:port``."""
        return f"{self.pod_gateway}:{self.registry_port}"

    @property
    def logs(self) -> Path:
        return self.state / "logs"

    @property
    def ca(self) -> Path:
        """The sandbox's own certificate authority (PEM)."""
        return self.state / "pki" / "ca.crt"

    @property
    def ca_bundle(self) -> Path:
        """The machine's certificate authorities and the sandbox's own, in one PEM file."""
        return self.state / "pki" / "bundle.crt"


SETTINGS = Settings.from_environment()
