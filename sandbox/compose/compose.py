"""The stack of docker-compose.yaml beside the sandbox's own Airflow, on the sandbox's engine.

It is started on request only: ``python -m sandbox up --only compose``.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import requests

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
"""It takes 40 s on an idle machine, and ten times that on a busy one."""
_BUILT = compose_configuration.HOME / "built"
"""Holds what the running image was made of."""
_ENGINE = compose_configuration.HOME / "engine"
"""Holds the engine's address, empty for the machine's own: other settings would lead to another."""
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
    """Airflow with two Celery workers and two builders, for the deployments of the sandbox."""

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
        # The first request to the execution API costs 3.5 s: not the first deployment shall pay it.
        requests.get(f"{self.url}/execution/health", timeout=120)

    def ready(self) -> str | None:
        if problem := self.health():
            return problem
        if _BUILT.read_text() != _sources():
            return "the checkout has changed since its image was built"
        return None

    def health(self) -> str | None:
        """As ``ready``, whatever the image was built from."""
        if not _BUILT.exists():
            return "it is not up"
        try:
            found = self.containers()
        except SandboxError as error:
            return str(error)
        ill = [item["Name"] for item in found if not _well(item)]
        if ill or not found:
            return f"not healthy: {', '.join(ill) or 'there is no container'}"
        return None

    def stop(self) -> None:
        """Leave no container, volume, network or rule; images go when the engine goes."""
        if _ENGINE.exists() and docker_cli.engine_answers(_host()):
            self.compose("down", "--volumes", "--remove-orphans", "--timeout", "3", seconds=120)
        compose_network.stop()
        shutil.rmtree(compose_configuration.HOME, ignore_errors=True)

    def token(self) -> str:
        """A bearer token of Airflow's REST API. Raises SandboxError when it is refused."""
        login = {"username": "admin", "password": compose_configuration.password()}
        answer = requests.post(f"{self.url}/auth/token", json=login, timeout=30)
        if not answer.ok:
            raise SandboxError(f"Airflow at {self.url} gave no token: HTTP {answer.status_code}")
        return str(answer.json()["access_token"])

    def compose(self, *words: str, seconds: float = 60) -> str:
        """Run ``docker compose …`` on the stack; its output, or SandboxError."""
        argv = [*compose_configuration.words(), *words]
        what = f"docker compose {words[0]}"
        return docker_cli.docker(*argv, host=_host(), what=what, seconds=seconds)

    def log(self) -> str:
        """What all containers of the stack have printed. Raises SandboxError."""
        if not _ENGINE.exists():
            raise SandboxError("the compose stack is not up")
        return self.compose("logs", "--no-color", "--timestamps", seconds=120)

    def containers(self, *services: str) -> list[dict[str, Any]]:
        """What ``docker compose ps`` says of these or all services, also of stopped containers."""
        listed = self.compose("ps", "--all", "--format", "json", *services)
        return [json.loads(line) for line in listed.splitlines()]

    def _up(self) -> None:
        try:
            self.compose("up", "--build", "--detach", "--wait", seconds=_UP_SECONDS)
        except SandboxError as error:
            begun = [item for item in self.containers() if item["State"] != "created"]
            ill = {item["Service"] for item in begun if not _well(item)}
            raise SandboxError(f"{error}\n{self.compose('logs', '--tail', '5', *ill)}") from error

    def _load_base_image(self, builder: str) -> None:
        """The engine of a builder has no way to pull what this machine has none to pull."""
        archive = compose_configuration.BASE_IMAGE
        load = (
            f"docker image inspect {IMAGE} || [ ! -e {archive} ] || docker load --input {archive}"
        )
        self.compose("exec", "--no-TTY", builder, "sh", "-c", load, seconds=120)


def _host() -> str | None:
    """Of the engine that the stack was brought up on."""
    return _ENGINE.read_text() or None


def _sources() -> str:
    """A key of what the image and the stack are made of."""
    found = [path for pattern in _SOURCES for path in REPOSITORY.glob(pattern)]
    files = [file for path in found for file in (path.rglob("*") if path.is_dir() else [path])]
    key = hashlib.sha256()
    for file in sorted(files):
        if file.is_file() and "__pycache__" not in file.parts:
            key.update(str(file).encode() + file.read_bytes())
    return key.hexdigest()


def _well(container: dict[str, Any]) -> bool:
    """Healthy; or ended as it should, which only ``init`` does."""
    if container["Service"] == "init":
        return container["State"] == "exited" and container["ExitCode"] == 0
    return bool(container["Health"] == "healthy")
