"""Installs the missing Debian packages that the sandbox needs.

Debian 12 has no buildx and no current engine, but Debian 13's packages install on Debian 12. They
come from the mirror that the machine's apt sources name. The apt configuration for this is in the
cache folder: ``/etc/apt`` does not change, and a later ``apt-get upgrade`` ignores Debian 13.
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
"""Without runc, because Debian 13's runc needs a newer libc than Debian 12 has."""
_SERVICES = (
    "docker.service",
    "docker.socket",
    "containerd.service",
    "docker-registry.service",
    "postgresql.service",
)
_UNITS = Path("/lib/systemd/system")
_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
"""Also has Debian 13's keys. Without this file, apt trusts the keys by default."""
_POLICY = Path("/usr/sbin/policy-rc.d")
_LOCK_SECONDS = 300
"""How long apt waits for another apt, enough for a slow installation of chromium."""


class Packages(Part):
    """Programs on the machine. ``down`` keeps them."""

    name = "packages"

    def ready(self) -> str | None:
        missing = programs.missing()
        return f"missing: {', '.join(missing)}" if missing else None

    def start(self) -> None:
        missing = programs.missing()
        if not missing:
            return
        if not shutil.which("apt-get"):
            raise SandboxError(
                f"this machine lacks {', '.join(missing)} and has no apt-get: install these "
                "programs with the machine's package manager, then try again"
            )
        if os.geteuid() != 0:
            raise SandboxError(f"packages are missing: sudo apt-get install {' '.join(missing)}")
        say(self.name, "installing " + " ".join(missing))
        apt = _apt_options()
        run(["apt-get", *apt, "update", "-qq"], what="apt-get update")
        with _no_service_starts():
            run(
                ["apt-get", *apt, "install", "-y", "-qq", "--no-install-recommends", *missing],
                what=f"apt-get install {' '.join(missing)}",
                env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
            )
        if problem := self.ready():
            raise SandboxError(f"apt-get install succeeded, but programs are still {problem}")

    def stop(self) -> None:
        """Keep the packages, because other programs may use them by now."""


@dataclass(frozen=True)
class DebianSource:
    """The source of the machine's Debian packages."""

    codename: str
    address: str


def debian_source() -> DebianSource:
    """Read the machine's apt sources. Raises SandboxError."""
    codename = _os_release().get("VERSION_CODENAME", "")
    listing = run(
        ["apt-get", "indextargets", "--format", "$(RELEASE) $(COMPONENT) $(REPO_URI)"],
        what="reading apt's sources",
    )
    for line in listing.splitlines():
        release, component, address = line.split()
        if release == codename and component == "main":
            return DebianSource(codename, address)
    raise SandboxError(f"apt has no source for Debian {codename!r} main: add a source")


def _os_release() -> dict[str, str]:
    lines = Path("/etc/os-release").read_text().splitlines()
    return {key: value.strip('"') for key, _, value in (line.partition("=") for line in lines)}


def _apt_options() -> list[str]:
    """Options for apt-get. On Debian 12 they add Debian 13 to the machine's sources."""
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
        "APT::Sandbox::User=root",  # the user _apt cannot read home folders
    ):
        options += ["-o", setting]
    return options


@contextmanager
def _no_service_starts() -> Iterator[None]:
    """Keep newly installed packages from starting their services now and at boot."""
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
        if Path("/run/systemd/system").exists():
            subprocess.run(["systemctl", "disable", *new], capture_output=True, check=False)
