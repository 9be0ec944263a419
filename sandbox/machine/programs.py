"""Programs that the sandbox needs, and their Debian packages."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from sandbox.airflow import database
from sandbox.engine import docker_cli
from sandbox.machine import golang

CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
"""Names of the program on PATH."""
_PLUGINS = (
    "/usr/libexec/docker/cli-plugins",
    "/usr/lib/docker/cli-plugins",
    "/usr/local/lib/docker/cli-plugins",
    "/usr/local/libexec/docker/cli-plugins",
)
ENGINE = {
    "docker.io": ("dockerd",),
    "docker-cli": ("/usr/bin/docker",),
    "docker-buildx": tuple(f"{folder}/docker-buildx" for folder in _PLUGINS),
    "docker-compose": tuple(f"{folder}/docker-compose" for folder in _PLUGINS),
}
"""Packages of the engine, not needed if an engine with buildx already answers. Each package has a
list of files, one of which proves that the program is installed."""
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
_GO = "golang-go"
_POSTGRESQL = "postgresql"


def missing() -> list[str]:
    """The names of the Debian packages to install."""
    others = [name for name, files in _OTHERS.items() if not _any_found(files)]
    engine = [name for name, files in ENGINE.items() if not _any_found(files)]
    if engine and docker_cli.machine_engine_answers():
        engine = []
    postgresql = [] if database.installed() else [_POSTGRESQL]
    return [*engine, *others, *postgresql, *([] if golang.usable() else [_GO])]


def _any_found(files: tuple[str, ...]) -> bool:
    # PATH may lack sbin, even for root
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    return any(shutil.which(file, path=path) or Path(file).is_file() for file in files)
