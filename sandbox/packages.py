"""The Debian packages that the sandbox is made of, installed where they are missing.

Debian 12 has neither buildx nor a current engine; Debian 13's packages of them install on it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sandbox import apt, database, golang
from sandbox.console import say
from sandbox.part import Part, SandboxError
from sandbox.process import run

CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
"""The names under which it stands on PATH."""
_PLUGINS = (
    "/usr/libexec/docker/cli-plugins",
    "/usr/lib/docker/cli-plugins",
    "/usr/local/lib/docker/cli-plugins",
    "/usr/local/libexec/docker/cli-plugins",
)
_ENGINE = {
    "docker.io": ("dockerd",),
    "docker-cli": ("/usr/bin/docker",),
    "docker-buildx": tuple(f"{folder}/docker-buildx" for folder in _PLUGINS),
    "docker-compose": tuple(f"{folder}/docker-compose" for folder in _PLUGINS),
}
"""Not needed where an engine with buildx answers already. A package and the files any one of which
says that it, or another distribution's package of the same program, is there."""
_OTHERS = {
    "containerd": ("containerd",),
    "docker-registry": ("docker-registry", "registry"),
    "runc": ("runc",),
    "iptables": ("iptables",),
    "nftables": ("nft",),
    "conntrack": ("conntrack",),
    "containernetworking-plugins": ("/usr/lib/cni/bridge",),
    "debootstrap": ("debootstrap",),
    "iproute2": ("ip",),
    "socat": ("socat",),
    "chromium": CHROMIUM,
    "curl": ("curl",),
    "openssl": ("openssl",),
    "unzip": ("unzip",),
}
_NEWER = (*_ENGINE, "containerd", "docker-registry", "golang*")
"""runc is not among them: Debian 13's needs a newer libc than Debian 12 has."""
_GO = "golang-go"
_POSTGRESQL = "postgresql"
_SERVICES = (
    "docker.service",
    "docker.socket",
    "containerd.service",
    "docker-registry.service",
    "postgresql.service",
)
_UNITS = Path("/lib/systemd/system")
_POLICY = Path("/usr/sbin/policy-rc.d")


class Packages(Part):
    """Programs on the machine. They stay after ``down``, as every installed package does."""

    name = "packages"

    def ready(self) -> str | None:
        lacking = _lacking()
        return f"missing: {', '.join(lacking)}" if lacking else None

    def start(self) -> None:
        lacking = _lacking()
        if not lacking:
            return
        if not shutil.which("apt-get"):
            raise SandboxError(
                f"this is no Debian machine, and it lacks {', '.join(lacking)}: install these "
                "programs with its own package manager, then try again"
            )
        if os.geteuid() != 0:
            raise SandboxError(f"packages are missing: sudo apt-get install {' '.join(lacking)}")
        say(self.name, "installing " + " ".join(lacking))
        options = apt.options(_NEWER)
        run(["apt-get", *options, "update", "-qq"], what="apt-get update")
        with _no_service_starts():
            run(
                ["apt-get", *options, "install", "-y", "-qq", "--no-install-recommends", *lacking],
                what=f"apt-get install {' '.join(lacking)}",
                env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
            )
        if problem := self.ready():
            raise SandboxError(f"apt-get install went through and yet programs are {problem}")

    def stop(self) -> None:
        """Nothing: whether anything else uses the packages meanwhile is not ours to know."""


def usable_engine() -> bool:
    """Whether a Docker engine with buildx answers to the client on PATH."""
    if not shutil.which("docker"):
        return False
    for words in (["buildx", "version"], ["version"]):
        try:
            done = subprocess.run(["docker", *words], capture_output=True, timeout=5, check=False)
        except subprocess.TimeoutExpired:
            return False
        if done.returncode != 0:
            return False
    return True


def _lacking() -> list[str]:
    others = [name for name, files in _OTHERS.items() if not _any_found(files)]
    engine = [name for name, files in _ENGINE.items() if not _any_found(files)]
    if engine and usable_engine():
        engine = []
    postgresql = [] if database.installed() else [_POSTGRESQL]
    return [*engine, *others, *postgresql, *([] if golang.usable() else [_GO])]


def _any_found(files: tuple[str, ...]) -> bool:
    # sbin stands on no ordinary user's PATH, and not always on root's
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    return any(shutil.which(file, path=path) or Path(file).is_file() for file in files)


@contextmanager
def _no_service_starts() -> Iterator[None]:
    """Packages start their services when installed; the sandbox runs instances of its own."""
    new = [service for service in _SERVICES if not (_UNITS / service).exists()]
    aside = _POLICY.with_name("policy-rc.d.before-manifest-engine")
    if _POLICY.exists() and not aside.exists():
        _POLICY.rename(aside)
    _POLICY.write_text("#!/bin/sh\nexit 101\n")
    _POLICY.chmod(0o755)
    try:
        yield
    finally:
        _POLICY.unlink()
        if aside.exists():
            aside.rename(_POLICY)
        if Path("/run/systemd/system").exists():  # nor at the next boot
            subprocess.run(["systemctl", "disable", *new], capture_output=True, check=False)
