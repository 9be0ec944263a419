"""The Docker engine: the machine's engine if one with buildx answers, else the sandbox's own."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from sandbox.core import pki, process
from sandbox.core.part import Part, SandboxError
from sandbox.core.settings import SETTINGS
from sandbox.engine import docker_cli
from sandbox.engine.dockerd import Daemon
from sandbox.machine import mounts

_TRUST = Path("/etc/docker/certs.d")


class Engine(Part):
    """``SANDBOX_OWN_ENGINE=1`` starts the sandbox's own engine in any case."""

    name = "engine"
    needs = ("packages", "network")

    def __init__(self) -> None:
        self._own = Daemon()

    @property
    def host(self) -> str | None:
        """The value of DOCKER_HOST; None for the machine's engine."""
        return None if self._uses_machine_engine() else self._own.host

    def start(self) -> None:
        docker_cli.prepare()
        self._trust_registry()
        if not self._uses_machine_engine():
            self._own.start()

    def ready(self) -> str | None:
        try:
            docker_cli.find()
        except SandboxError as error:
            return str(error)
        if not self._trusts_registry():
            return f"the engine does not trust {SETTINGS.registry}"
        return None if self._uses_machine_engine() else self._own.ready()

    def stop(self) -> None:
        self._own.stop()
        self._distrust_registry()
        shutil.rmtree(docker_cli.BIN, ignore_errors=True)

    def where(self) -> str:
        return self.host or os.environ.get("DOCKER_HOST", "the machine's own engine")

    def exports(self) -> dict[str, str]:
        path = os.environ.get("PATH", "").split(":")
        if str(docker_cli.BIN) not in path:
            path.insert(0, str(docker_cli.BIN))
        found = {"DOCKER_CONFIG": str(docker_cli.CONFIG), "PATH": ":".join(path)}
        if self.host:
            found["DOCKER_HOST"] = self.host
        return found

    def _uses_machine_engine(self) -> bool:
        """Whether to use the machine's engine. A running engine of the sandbox has priority."""
        if os.environ.get("SANDBOX_OWN_ENGINE") == "1" or process.find(self._own.name):
            return False
        if (
            os.environ.get("DOCKER_HOST") == self._own.host
        ):  # set by our exports, but our engine is down
            return False
        return docker_cli.engine_answers(None)

    @property
    def _trust_file(self) -> Path:
        return _TRUST / SETTINGS.registry / "ca.crt"

    def _trusts_registry(self) -> bool:
        return _is_our_authority(self._trust_file)

    def _trust_registry(self) -> None:
        self._trust_file.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(pki.authority().certificate, self._trust_file)

    def _distrust_registry(self) -> None:
        """Remove our authority for every address, because other settings may have added it."""
        for file in {self._trust_file, *filter(_is_our_authority, _TRUST.glob("*/ca.crt"))}:
            file.unlink(missing_ok=True)
            mounts.remove_if_empty(file.parent)
        for folder in (_TRUST, _TRUST.parent):
            mounts.remove_if_empty(folder)


def _is_our_authority(file: Path) -> bool:
    authority = SETTINGS.ca
    return file.exists() and authority.exists() and file.read_bytes() == authority.read_bytes()
