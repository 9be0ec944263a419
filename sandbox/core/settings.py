"""Where the sandbox keeps its files and where its parts listen.

Everything here can be overridden by an environment variable of the field's name in capitals with
``SANDBOX_`` before it, for example ``SANDBOX_AIRFLOW_PORT=8090``.
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
    """Everything that ``down`` removes: sockets, keys, databases, logs, pid files."""
    cache: Path = Path.home() / ".cache/manifest-engine"
    """What is slow to make and survives ``down``: binaries, the base image, downloaded modules."""

    pod_bridge: str = "me-pods"
    pod_network: str = "10.244.0.0/24"
    pod_gateway: str = "10.244.0.1"
    """The host's address on the pod bridge: the one address at which engine, builds, containerd,
    pods and host all reach registry, package index and API server."""
    service_network: str = "10.96.0.0/16"
    engine_bridge: str = "me-engine"
    engine_network: str = "10.245.0.0/24"
    engine_gateway: str = "10.245.0.1"
    compose_bridge: str = "me-compose"
    compose_network: str = "10.246.0.0/24"
    """Of the stack of docker-compose.yaml, when that is up."""

    airflow_port: int = 8080
    compose_port: int = 8085
    """Airflow's pages and API in the stack of docker-compose.yaml."""
    gateway_port: int = 18080
    """Envoy's port on loopback, as browsers and curl reach it."""
    artifactory_port: int = 8081
    index_port: int = 8083
    registry_port: int = 5443
    token_port: int = 5444
    entra_port: int = 5445
    arm_port: int = 5446
    apiserver_port: int = 6443
    etcd_port: int = 12379

    database: str = "postgresql"
    """Airflow's, one of ``DATABASES``."""
    namespace: str = "datafactory"
    """Kubernetes namespace of the environment ``dev`` that the sandbox configures."""
    approved_namespace: str = "datafactory-prod"
    """Kubernetes namespace of the environment ``prod``, where deployments wait for an approval."""
    exempt_namespace: str = "datafactory-stage"
    """Kubernetes namespace of the environment ``stage``, where rebuilds need no approval."""

    @property
    def namespaces(self) -> tuple[str, ...]:
        """Those of all environments."""
        return (self.namespace, self.approved_namespace, self.exempt_namespace)

    kubeconfig: str = ""
    """An existing cluster's kubeconfig (``SANDBOX_KUBECONFIG``); empty: the sandbox's own."""

    @classmethod
    def from_environment(cls) -> Settings:
        """Read ``SANDBOX_*``; raises ValueError naming the variable that cannot be understood."""
        given: dict[str, object] = {}
        for item in fields(cls):
            variable = f"SANDBOX_{item.name.upper()}"
            text = os.environ.get(variable)
            if text is None:
                continue
            if item.type == "int" and not text.isdigit():
                raise ValueError(
                    f"{variable}={text!r} is no port number; unset it or give a number"
                )
            given[item.name] = (
                int(text) if item.type == "int" else Path(text) if item.type == "Path" else text
            )
        if (database := given.get("database", cls.database)) not in DATABASES:
            raise ValueError(
                f"SANDBOX_DATABASE={database!r} is none of {', '.join(DATABASES)}; unset it"
            )
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
        """The machine's certificate authorities and the sandbox's own, in one file."""
        return self.state / "pki" / "bundle.crt"


SETTINGS = Settings.from_environment()
