"""The Debian packages that the sandbox is made of, installed where they are missing.

Debian 12 has neither buildx nor a current engine; Debian 13's packages of them install on it. They
come from the address that the machine's own apt sources name, through an apt configuration of our
own in the cache folder, so that ``/etc/apt`` stays as it was and a later ``apt-get upgrade`` does
not see Debian 13.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sandbox.core.console import say
from sandbox.core.part import Part, SandboxError
from sandbox.core.process import run
from sandbox.core.settings import SETTINGS
from sandbox.machine import programs

_FROM_TRIXIE = (*programs.ENGINE, "containerd", "docker-registry")
"""runc is not among them: Debian 13's needs a newer libc than Debian 12 has."""
_SERVICES = (
    "docker.service",
    "docker.socket",
    "containerd.service",
    "docker-registry.service",
    "postgresql.service",
)
_UNITS = Path("/lib/systemd/system")
_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
"""Debian 12's holds Debian 13's keys too; a machine without the file trusts them by default."""
_POLICY = Path("/usr/sbin/policy-rc.d")
_LOCK_SECONDS = 300
"""How long apt waits for another apt: as long as a slow installation of chromium takes."""


class Packages(Part):
    """Programs on the machine. They stay after ``down``, as every installed package does."""

    name = "packages"

    def ready(self) -> str | None:
        lacking = programs.lacking()
        return f"missing: {', '.join(lacking)}" if lacking else None

    def start(self) -> None:
        lacking = programs.lacking()
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
        apt = _apt_options()
        run(["apt-get", *apt, "update", "-qq"], what="apt-get update")
        with _no_service_starts():
            run(
                ["apt-get", *apt, "install", "-y", "-qq", "--no-install-recommends", *lacking],
                what=f"apt-get install {' '.join(lacking)}",
                env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
            )
        if problem := self.ready():
            raise SandboxError(f"apt-get install went through and yet programs are {problem}")

    def stop(self) -> None:
        """Nothing: whether anything else uses the packages meanwhile is not ours to know."""


@dataclass(frozen=True)
class DebianSource:
    """Where the machine's own Debian packages come from."""

    codename: str
    address: str


def debian_source() -> DebianSource:
    """Read from the machine's apt sources, whose address may be a mirror's; raises SandboxError."""
    codename = _os_release().get("VERSION_CODENAME", "")
    listing = run(
        ["apt-get", "indextargets", "--format", "$(RELEASE) $(COMPONENT) $(REPO_URI)"],
        what="reading apt's sources",
    )
    for line in listing.splitlines():
        release, component, address = line.split()
        if release == codename and component == "main":
            return DebianSource(codename, address)
    raise SandboxError(f"apt has no source for Debian {codename!r} main: add one to its sources")


def _os_release() -> dict[str, str]:
    lines = Path("/etc/os-release").read_text().splitlines()
    return {key: value.strip('"') for key, _, value in (line.partition("=") for line in lines)}


def _apt_options() -> list[str]:
    """The machine's own sources, with Debian 13's beside them where the machine is Debian 12."""
    options = ["-o", f"DPkg::Lock::Timeout={_LOCK_SECONDS}"]
    if _os_release().get("VERSION_CODENAME") != "bookworm":
        return options
    home = SETTINGS.cache / "apt"
    shutil.rmtree(home / "sources", ignore_errors=True)
    for folder in ("sources", "preferences", "lists/partial"):
        (home / folder).mkdir(parents=True, exist_ok=True)
    for own in (Path("/etc/apt/sources.list"), *Path("/etc/apt/sources.list.d").glob("*")):
        if own.suffix in (".list", ".sources"):
            (home / "sources" / own.name).symlink_to(own)
    source = debian_source()
    signed = f" [signed-by={_KEYRING}]" if _KEYRING.exists() else ""
    (home / "sources" / "trixie.list").write_text(f"deb{signed} {source.address} trixie main\n")
    packages = " ".join((*_FROM_TRIXIE, "golang*"))
    (home / "preferences" / "trixie").write_text(
        "Package: *\nPin: release n=trixie\nPin-Priority: 50\n\n"
        f"Package: {packages}\nPin: release n=trixie\nPin-Priority: 600\n"
    )
    for setting in (
        "Dir::Etc::SourceList=/dev/null",
        f"Dir::Etc::SourceParts={home}/sources",
        f"Dir::Etc::PreferencesParts={home}/preferences",
        f"Dir::State::Lists={home}/lists",
        "APT::Sandbox::User=root",  # apt's own user may not enter a home folder
    ):
        options += ["-o", setting]
    return options


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
