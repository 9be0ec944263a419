"""Real engines, registry and private index. Each test has its own repository."""

from __future__ import annotations

import hashlib
import io
import json
import logging
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from manifest_engine.domain.environment import environments
from manifest_engine.domain.environment.environment import PackageIndex
from manifest_engine.domain.manifest import manifest
from manifest_engine.domain.release import release
from manifest_engine.hooks.registry.acr import AcrHook
from manifest_engine.operators.image.build_image import BuildImage
from manifest_engine.operators.image.push_image import PushImage
from manifest_engine.services.image import live_mark

from sandbox.core import pki
from sandbox.core.settings import SETTINGS
from sandbox.engine import base_image
from sandbox.engine.dockerd import Daemon
from tests import registry_images

FIX = "run: .venv/bin/python -m sandbox up --only base-image --only registry --only index"
_FREE_SLOTS = {"second": 2, "modern": 3}
"""Address ranges of the engine bridge that the sandbox's own engine does not use."""
SERVICE = {
    "src/__init__.py": "",
    "src/aiservice.py": "from flask import Flask\n\napp = Flask(__name__)\n",
    "src/loop_log.ini": "[loggers]\nkeys=root\n",
}


@pytest.fixture(scope="session")
def docker_host(sandbox: dict[str, str]) -> str:
    """The sandbox's engine."""
    for name in ("REGISTRY", "INDEX_URL", "ENTRA_CLIENT_ID"):
        if name not in sandbox:
            pytest.fail(f"The sandbox has no {name}; {FIX}", pytrace=False)
    return sandbox.get("DOCKER_HOST", "unix:///var/run/docker.sock")


@pytest.fixture(autouse=True)
def connections(
    sandbox: dict[str, str], docker_host: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., None]:
    """Sets an Airflow Connection for one test. The sandbox's Connections are already set."""

    def connect(conn_id: str, **fields: Any) -> None:
        monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(fields))

    monkeypatch.setenv("MANIFEST_ENGINE_STORE", f"file://{tmp_path}/store")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(SETTINGS.ca_bundle))
    monkeypatch.setenv("SSL_CERT_FILE", str(SETTINGS.ca_bundle))
    for name in ("DOCKER_HOST", "DOCKER_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    connect("docker_default", conn_type="docker", host=docker_host)
    connect("acr_default", **_registry(sandbox, sandbox["REGISTRY"]))
    connect(
        "package_index_default",
        conn_type="http",
        host=sandbox["INDEX_URL"],
        login=sandbox["INDEX_USER"],
        password=sandbox["INDEX_PASSWORD"],
    )
    return connect


def _registry(sandbox: dict[str, str], host: str) -> dict[str, str]:
    user, password = sandbox["REGISTRY_USER"], sandbox["REGISTRY_PASSWORD"]
    return {"conn_type": "acr", "host": host, "login": user, "password": password}


class Service:
    """A service with a unique name, built and pushed by the real steps.

    ``log`` holds what the steps logged since the last build began.
    """

    def __init__(self, store: Path, login_server: str) -> None:
        self.name = f"service-{uuid4().hex[:8]}"
        environment = environments.load(environments.INCLUDE / "environments.yaml")["dev"]
        # The sandbox's index has only internal-utils; all other packages are public.
        index = PackageIndex(connection="package_index_default", mode="first")
        self.environment = environment.model_copy(update={"package_index": index})
        self.log: list[str] = []
        self.own_packages = False
        """Whether no other test's service can use the layer of packages."""
        self._store = store
        self.login_server = login_server

    def zip(self, **files: str | bytes) -> dict[str, Any]:
        """Store a ZIP of the standard service and ``files``; returns download_artifact's XCom."""
        mark = f"  # {self.name}" if self.own_packages else ""
        requirements = {"lib/requirements.txt": f"flask==3.1.3{mark}\n"}
        made = io.BytesIO()
        with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as target:
            for path, content in {**SERVICE, **requirements, **files}.items():
                target.writestr(path, content)
        return self.keep(made.getvalue())

    def keep(self, content: bytes) -> dict[str, Any]:
        sha256 = hashlib.sha256(content).hexdigest()
        self._store.mkdir(parents=True, exist_ok=True)
        (self._store / f"{sha256}.zip").write_bytes(content)
        return {"sha256": sha256, "size": len(content)}

    def plan(self, version: str = "1.0.0", builder: str = "docker_default", **fields: Any) -> Any:
        environment = self.environment.model_copy(
            update={"builders": tuple(builder.split(",")), **fields.pop("environment", {})}
        )
        asked = {
            "component": "tests",
            "serviceName": self.name,
            "version": version,
            "environment": "dev",
        }
        return release.plan(
            manifest.parse(asked | fields),
            environment,
            login_server=self.login_server,
            run_id=f"run-{uuid4().hex[:8]}",
            requested_at=datetime.now(UTC),
            requested_by="tester",
        )

    def build(self, artifact: dict[str, Any], **how: Any) -> dict[str, Any]:
        """Run ``build_image``."""
        planned = self.plan(**how).dump()
        step = BuildImage(task_id="build_image", release=planned, artifact=artifact)
        self.log = []
        with self._listening():
            return step.run({})

    def push(self, built: dict[str, Any], **how: Any) -> dict[str, Any]:
        """Run ``push_image``."""
        step = PushImage(task_id="push_image", release=self.plan(**how).dump(), build=built)
        with self._listening():
            return step.run({})

    def ship(self, artifact: dict[str, Any], **how: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """Run both."""
        built = self.build(artifact, **how)
        return built, self.push(built, **how)

    def go_live(self, pushed: dict[str, Any]) -> None:
        """Mark the image as ``apply_deployment`` does before it applies the release."""
        live_mark.mark_live(AcrHook().api, self.plan(), pushed["digest"])

    @property
    def ran_pip(self) -> bool:
        return any(
            word in line
            for word in ("Installing collected packages", "Installed ")
            for line in self.log
        )

    def forget(self, reference: str) -> None:
        """Delete an image in the registry."""
        api = AcrHook().api
        repository = f"datafactory/tests/{self.name}"
        found = api.find(repository, reference)
        assert found is not None
        registry_images.delete(api, repository, found.digest)

    @contextmanager
    def _listening(self) -> Iterator[None]:
        import structlog

        def listen(_: Any, __: str, event: dict[str, Any]) -> Any:
            text = str(event.get("event"))
            arguments = event.get("positional_args") or ()
            self.log.append(text % arguments if arguments else text)
            raise structlog.DropEvent

        before = structlog.get_config()["processors"]
        structlog.configure(processors=[listen])
        handler = _Handler(self.log)
        logging.getLogger().addHandler(handler)
        try:
            yield
        finally:
            structlog.configure(processors=before)
            logging.getLogger().removeHandler(handler)


class _Handler(logging.Handler):
    def __init__(self, lines: list[str]) -> None:
        super().__init__()
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.append(record.getMessage())


@pytest.fixture
def service(sandbox: dict[str, str], connections: Any, tmp_path: Path) -> Service:
    return Service(tmp_path / "store/sha256", sandbox["REGISTRY"])


@pytest.fixture
def empty_engine(connections: Callable[..., None], docker_host: str) -> Iterator[str]:
    """A second engine that has only the base image: the Connection ``second``."""
    daemon = Daemon("engine-second", _FREE_SLOTS["second"])
    try:
        daemon.start()
        base_image.load(daemon.host)
        connections("second", conn_type="docker", host=daemon.host)
        yield "second"
    finally:
        daemon.stop()


@pytest.fixture(scope="module")
def modern_daemon(docker_host: str) -> Iterator[Daemon]:
    address = f"{SETTINGS.engine_gateway}:12376"
    slot = _FREE_SLOTS["modern"]
    daemon = Daemon("engine-modern", slot, containerd_store=True, tls_address=address)
    try:
        daemon.start()
        base_image.load(daemon.host)
        yield daemon
    finally:
        daemon.stop()


@pytest.fixture
def modern_engine(connections: Callable[..., None], modern_daemon: Daemon) -> str:
    """An engine with containerd's image store and TLS: the Connection ``modern``."""
    pair = pki.issue("builds", common_name="builds")
    connections(
        "modern",
        conn_type="docker",
        host=f"tcp://{modern_daemon.tls_address}",
        extra={
            "tls_ca_cert": str(SETTINGS.ca),
            "tls_client_cert": pair.certificate.read_text(),
            "tls_client_key": pair.key.read_text(),
        },
    )
    return "modern"


@pytest.fixture
def run(docker_host: str) -> Callable[..., str]:
    """Runs a local image (``docker run --rm``) and returns the output."""
    import docker

    client = docker.DockerClient(docker_host)

    def once(image: str, *command: str) -> str:
        return str(client.containers.run(image, list(command), remove=True).decode())

    return once


@pytest.fixture
def lead_to(
    sandbox: dict[str, str], service: Service, connections: Callable[..., None]
) -> Callable[[str], None]:
    """Points the registry's Connection and the service's image names to another host."""

    def lead(host: str) -> None:
        connections("acr_default", **_registry(sandbox, host))
        service.login_server = host

    return lead
