"""The stack of docker-compose.yaml on the sandbox's engine, beside the sandbox's own Airflow.

Only ``python -m sandbox up --only compose`` starts the stack.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import requests

from sandbox.airflow.api import fetch_token
from sandbox.compose import configuration as compose_configuration
from sandbox.compose import network as compose_network
from sandbox.compose import stand_in_images as compose_images
from sandbox.core.part import Part, SandboxError
from sandbox.core.settings import REPOSITORY, SETTINGS
from sandbox.engine import docker_cli
from sandbox.engine.base_image import IMAGE
from sandbox.engine.engine import Engine

BUILDERS = ("builder-1", "builder-2")
_UP_SECONDS = 600
"""Startup takes 40 s on an idle machine and ten times as long on a busy one."""
_BUILT = compose_configuration.HOME / "built"
"""Contains the hash of the sources of the running stack."""
_ENGINE = compose_configuration.HOME / "engine"
"""Contains the address of the stack's engine, since settings may change; empty: the machine's."""
_SOURCES = (
    "Dockerfile",
    "docker-compose.yaml",
    "*.txt",
    "compose/*.*",
    "dags",
    "include",
    "plugins",
)


class Compose(Part):
    """Airflow with two Celery workers and two builders."""

    name = "compose"
    needs = (
        "engine",
        "base-image",
        "registry",
        "artifactory",
        "index",
        "pull-secret",
        "gateway",
        "rbac",
    )

    def __init__(self) -> None:
        self.url = f"http://127.0.0.1:{SETTINGS.compose_port}"

    def where(self) -> str:
        return self.url

    def exports(self) -> dict[str, str]:
        if not compose_configuration.HOME.exists():
            return {}
        return {
            "COMPOSE_AIRFLOW_URL": self.url,
            "COMPOSE_AIRFLOW_PASSWORD": compose_configuration.password(),
        }

    def start(self) -> None:
        compose_configuration.write()
        _ENGINE.write_text(Engine().host or "")
        configuration = json.loads(self.compose("config", "--format", "json"))
        compose_images.provide(compose_images.names(configuration), Engine().host)
        compose_network.start()
        built = _sources()
        self._up()
        _BUILT.write_text(built)
        with ThreadPoolExecutor() as pool:
            list(pool.map(self._load_base_image, BUILDERS))
        # The first request to the execution API takes 3.5 s. Send it before the first deployment.
        requests.get(f"{self.url}/execution/health", timeout=120)

    def ready(self) -> str | None:
        if problem := self.health():
            return problem
        if _BUILT.read_text() != _sources():
            return "the checkout has changed since the image was built"
        return None

    def health(self) -> str | None:
        """Like ``ready``, without a check for changed sources."""
        if not _BUILT.exists():
            return "the stack is not up"
        try:
            found = self.containers()
        except SandboxError as error:
            return str(error)
        unhealthy = [item["Name"] for item in found if not _healthy(item)]
        if unhealthy or not found:
            return f"not healthy: {', '.join(unhealthy) or 'there is no container'}"
        return None

    def stop(self) -> None:
        """Remove containers, volumes, networks and firewall rules. Images go with the engine."""
        if _ENGINE.exists() and docker_cli.engine_answers(_host()):
            self.compose("down", "--volumes", "--remove-orphans", "--timeout", "3", seconds=120)
        compose_network.stop()
        shutil.rmtree(compose_configuration.HOME, ignore_errors=True)

    def token(self) -> str:
        """A bearer token of the REST API. Raises SandboxError."""
        return fetch_token(self.url, compose_configuration.password())

    def compose(self, *words: str, seconds: float = 60) -> str:
        """Run ``docker compose …`` on the stack and return its output. Raises SandboxError."""
        argv = [*compose_configuration.words(), *words]
        what = f"docker compose {words[0]}"
        return docker_cli.docker(*argv, host=_host(), what=what, seconds=seconds)

    def log(self) -> str:
        """The logs of all containers. Raises SandboxError."""
        if not _ENGINE.exists():
            raise SandboxError("the compose stack is not up")
        return self.compose("logs", "--no-color", "--timestamps", seconds=120)

    def containers(self, *services: str) -> list[dict[str, Any]]:
        """``docker compose ps`` for these or all services, with stopped containers."""
        listed = self.compose("ps", "--all", "--format", "json", *services)
        return [json.loads(line) for line in listed.splitlines()]

    def _up(self) -> None:
        try:
            self.compose("up", "--build", "--detach", "--wait", seconds=_UP_SECONDS)
        except SandboxError as error:
            started = [item for item in self.containers() if item["State"] != "created"]
            unhealthy = {item["Service"] for item in started if not _healthy(item)}
            log = self.compose("logs", "--tail", "5", *unhealthy)
            raise SandboxError(f"{error}\n{log}") from error

    def _load_base_image(self, builder: str) -> None:
        """Load the made base image into a builder, which cannot pull it either."""
        archive = compose_configuration.BASE_IMAGE
        load = (
            f"docker image inspect {IMAGE} || [ ! -e {archive} ] || docker load --input {archive}"
        )
        self.compose("exec", "--no-TTY", builder, "sh", "-c", load, seconds=120)


def _host() -> str | None:
    """The address of the stack's engine; None for the machine's."""
    return _ENGINE.read_text() or None


def _sources() -> str:
    """A hash of the sources of the image and the stack."""
    found = [path for pattern in _SOURCES for path in REPOSITORY.glob(pattern)]
    files = [file for path in found for file in (path.rglob("*") if path.is_dir() else [path])]
    key = hashlib.sha256()
    for file in sorted(files):
        if file.is_file() and "__pycache__" not in file.parts:
            key.update(str(file).encode() + file.read_bytes())
    return key.hexdigest()


def _healthy(container: dict[str, Any]) -> bool:
    """Whether the container is healthy; ``init`` has to exit with 0 instead."""
    if container["Service"] == "init":
        return container["State"] == "exited" and container["ExitCode"] == 0
    return bool(container["Health"] == "healthy")
