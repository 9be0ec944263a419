"""Debian 13's packages of a few programs beside Debian 12's own.

They come from the address that the machine's own apt sources name, through an apt configuration of
our own in the cache folder, so that ``/etc/apt`` stays as it was and a later ``apt-get upgrade``
does not see Debian 13.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from sandbox.part import SandboxError
from sandbox.process import run
from sandbox.settings import SETTINGS

_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
"""Debian 12's holds Debian 13's keys too; a machine without the file trusts them by default."""
_LOCK_SECONDS = 300
"""How long apt waits for another apt: as long as a slow installation of chromium takes."""


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


def options(newer: tuple[str, ...]) -> list[str]:
    """The machine's own sources, with Debian 13's beside them where the machine is Debian 12.

    :param newer: the packages that are taken from Debian 13 then.
    """
    made = ["-o", f"DPkg::Lock::Timeout={_LOCK_SECONDS}"]
    if _os_release().get("VERSION_CODENAME") != "bookworm":
        return made
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
    packages = " ".join(newer)
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
        made += ["-o", setting]
    return made


def _os_release() -> dict[str, str]:
    lines = Path("/etc/os-release").read_text().splitlines()
    return {key: value.strip('"') for key, _, value in (line.partition("=") for line in lines)}
