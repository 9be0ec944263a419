"""The docker client that has buildx, with its own configuration folder.

A machine may have several clients, of which only one finds the buildx plugin. The sandbox does not
write to ``~/.docker``.
"""

from __future__ import annotations

import base64
import functools
import json
import os
import shutil
import subprocess
from pathlib import Path

from sandbox.core import credentials
from sandbox.core.part import SandboxError
from sandbox.core.process import run
from sandbox.core.settings import SETTINGS

CONFIG = SETTINGS.state / "docker"
"""``DOCKER_CONFIG``: logins and buildx's files."""
BIN = SETTINGS.state / "bin"
"""A folder to put first on PATH. Its ``docker`` is a link to the client with buildx."""
_REGISTRY_SECONDS = 8


@functools.cache
def find() -> Path:
    """The first client on PATH or in the usual folders that answers ``buildx version``."""
    folders = [*os.environ.get("PATH", "").split(":"), "/usr/bin", "/usr/local/bin"]
    for folder in dict.fromkeys(folders):
        client = shutil.which("docker", path=folder)
        if client and client != str(BIN / "docker") and _answers([client, "buildx", "version"], 30):
            return Path(client)
    raise SandboxError(
        "no docker client on this machine has buildx: install docker-cli and docker-buildx (on "
        "Debian, the part 'packages' does this)"
    )


def engine_answers(host: str | None, seconds: float = 5) -> bool:
    """Whether an engine answers at ``host``, else at DOCKER_HOST or the default socket."""
    where = ["--host", host] if host else []
    return _answers([str(find()), *where, "version"], seconds)


def machine_engine_answers() -> bool:
    """Whether the machine has a client with buildx and an engine that answers."""
    try:
        return engine_answers(None)
    except SandboxError:
        return False


def can_pull(image: str, host: str | None) -> bool:
    """Whether the registry of ``image`` answers, from the engine at ``host``."""
    words = ("manifest", "inspect", image)
    try:
        docker(*words, host=host, what="docker manifest inspect", seconds=_REGISTRY_SECONDS)
    except SandboxError:
        return False
    return True


def docker(*words: str | Path, host: str | None, what: str, seconds: float | None = None) -> str:
    """Run ``docker …`` at ``host`` and return its output. Raises SandboxError."""
    where = ["--host", host] if host else []
    try:
        return run([find(), *where, *words], what=what, env=environment(), timeout=seconds)
    except subprocess.TimeoutExpired as error:
        raise SandboxError(f"{what} took longer than {seconds:.0f} s") from error


def environment() -> dict[str, str]:
    return {**os.environ, "DOCKER_CONFIG": str(CONFIG)}


def prepare() -> None:
    """Make the configuration folder and the link."""
    credentials.private_folder(CONFIG)
    BIN.mkdir(parents=True, exist_ok=True)
    link = BIN / "docker"
    link.unlink(missing_ok=True)
    link.symlink_to(find())


def log_in(registry: str, user: str, password: str) -> None:
    """Write a login as ``docker login`` does, without a password on a command line."""
    credentials.private_folder(CONFIG)
    word = base64.b64encode(f"{user}:{password}".encode()).decode()
    credentials.write_private(
        CONFIG / "config.json", json.dumps({"auths": {registry: {"auth": word}}}, indent=2)
    )


def _answers(argv: list[str], seconds: float = 5) -> bool:
    try:
        done = subprocess.run(
            argv, capture_output=True, timeout=seconds, env=environment(), check=False
        )
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0
