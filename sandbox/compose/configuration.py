"""The compose stack's configuration: secrets, Connections, environments, and an override file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from sandbox.airflow import configuration as airflow_configuration
from sandbox.compose import network as compose_network
from sandbox.core import credentials
from sandbox.core.process import run
from sandbox.core.settings import REPOSITORY, SETTINGS
from sandbox.engine import base_image
from sandbox.routing.gateway import Gateway
from sandbox.services.artifactory.artifactory import Artifactory

HOME = SETTINGS.state / "compose"
BASE_IMAGE = "/base-image.tar"
"""Path of the ``python:3.11`` archive in the builders, if the image cannot be pulled."""
_SECRETS = HOME / "secrets"
_CA = "/run/secrets/ca_certificates"
_BUILDERS = ["builder_1", "builder_2"]
_PROJECT = "manifest-engine-sandbox"
"""Differs from docker-compose.yaml, whose stack may already run on the machine's engine."""
_IMAGE = "manifest-engine/airflow:sandbox"
_BUILD_PORTS = (SETTINGS.registry_port, SETTINGS.token_port, SETTINGS.index_port)
"""Ports at the pod bridge's address that builds and builders use."""
_AIRFLOW = ("init", "api-server", "scheduler", "dag-processor", "triggerer", "worker")


def write() -> None:
    """Write the configuration below ``HOME``. Existing secrets are kept."""
    credentials.private_folder(HOME)
    run([REPOSITORY / "compose/make-secrets.sh", _SECRETS], what="making the stack's secrets")
    # Readable for the users in containers. The folder is closed to users of the machine.
    (_SECRETS / "connections").write_text(json.dumps(_connections()))
    environments_file().write_text(yaml.safe_dump(_environments()))
    (HOME / "override.yaml").write_text(yaml.safe_dump(_override()))
    lines = [f"{key}={value}\n" for key, value in _variables().items()]
    (HOME / "env").write_text("".join(lines))


def words() -> list[str | Path]:
    """The arguments of ``docker`` up to the compose command."""
    files: list[str | Path] = ["--file", REPOSITORY / "docker-compose.yaml"]
    files += ["--file", HOME / "override.yaml", "--env-file", HOME / "env"]
    where: list[str | Path] = ["--project-name", _PROJECT, "--project-directory", REPOSITORY]
    return ["compose", "--ansi", "never", *where, *files]


def password() -> str:
    """The password of ``admin``; empty if the stack was never up."""
    try:
        return str(json.loads((_SECRETS / "airflow_passwords").read_text())["admin"])
    except FileNotFoundError:
        return ""


def _variables() -> dict[str, str]:
    return {
        "MANIFEST_ENGINE_IMAGE": _IMAGE,
        "SECRETS_FOLDER": str(_SECRETS),
        "ENVIRONMENTS_FILE": str(environments_file()),
        "AIRFLOW_PORT": str(SETTINGS.compose_port),
        "AIRFLOW_BASE_URL": f"http://127.0.0.1:{SETTINGS.compose_port}",
        "HEARTBEAT_TIMEOUT": "15",
        "CA_CERTIFICATES": str(SETTINGS.ca),
        "BUILDER_ALLOWED": " ".join(f"{SETTINGS.pod_gateway}:{port}" for port in _BUILD_PORTS),
    }


def environments_file() -> Path:
    """The ``environments.yaml`` that the containers mount."""
    return HOME / "environments.yaml"


def _connections() -> dict[str, Any]:
    """The Connections of the sandbox's own Airflow, with addresses and paths for containers."""
    found: dict[str, Any] = airflow_configuration.desired_connections()
    del found["docker_default"]
    found["artifactory_default"]["host"] = _from_inside(Artifactory().url)
    given = found["kubernetes_default"]["extra"]["kube_config_path"]
    cluster = yaml.safe_load(Path(given).read_text())  # only the rights of include/rbac.yaml
    found["kubernetes_default"]["extra"] = {"kube_config": json.dumps(cluster)}
    found["aks_default"]["extra"]["verify"] = _CA
    return found


def _environments() -> dict[str, Any]:
    found: dict[str, Any] = airflow_configuration.desired_environments()
    for environment in found["environments"].values():
        environment["builders"] = _BUILDERS
        environment["build"] = environment.get("build", {}) | {"network": "restricted"}
        environment["routing"]["url"] = _from_inside(Gateway().exports()["GATEWAY_URL"])
    return found


def _from_inside(url: str) -> str:
    """The URL for containers. Relays on the pod bridge forward to loopback."""
    return url.replace("127.0.0.1", SETTINGS.pod_gateway)


def _override() -> dict[str, Any]:
    """Differences from docker-compose.yaml for tests on this machine."""
    airflow = {
        "environment": {
            # Tests also trigger rebuild_services.
            "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
            # Detect a dead worker quickly.
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "3",
            "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
        },
    }
    archive = base_image.archive()
    builder = {"volumes": [_mount(archive, BASE_IMAGE)] if archive.exists() else []}
    return {
        "services": {
            **dict.fromkeys(_AIRFLOW, airflow),
            "builder-1": builder,
            "builder-2": builder,
        },
        "networks": compose_network.networks(),
    }


def _mount(source: Path, target: str) -> dict[str, Any]:
    """A read-only bind mount."""
    return {"type": "bind", "source": str(source), "target": target, "read_only": True}
