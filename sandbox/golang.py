"""The Go toolchain that builds cluster and gateway, and where it leaves its work."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

from sandbox.settings import REPOSITORY

_MODULES = (REPOSITORY / "sandbox/cluster/go.mod", REPOSITORY / "sandbox/gateway/go.mod")
_FETCHES_ITSELF = (1, 21)
"""From this release on a Go can fetch the newer toolchain that a go.mod asks for."""


def usable() -> bool:
    """Whether there is a Go that is new enough, or can fetch one that is."""
    version = _version()
    return version is not None and version >= _FETCHES_ITSELF


def environment() -> dict[str, str]:
    """For ``go``: a toolchain as new as the modules ask for, static binaries, no workspace."""
    version = _version()
    enough = version is not None and version >= max(_asked(path) for path in _MODULES)
    return {
        **os.environ,
        "CGO_ENABLED": "0",
        "GOWORK": "off",
        "GOTOOLCHAIN": "local" if enough else "auto",
    }


def version_text() -> str:
    """The toolchain that builds, as ``go version`` names it."""
    done = subprocess.run(
        ["go", "version"],
        capture_output=True,
        text=True,
        check=False,
        cwd=_MODULES[0].parent,
        env=environment(),
    )
    return done.stdout.strip() or done.stderr.strip()


def _version() -> tuple[int, ...] | None:
    if not shutil.which("go"):
        return None
    done = subprocess.run(
        ["go", "version"],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path("/"),  # outside a module, so that it is the installed toolchain that answers
        env={**os.environ, "GOTOOLCHAIN": "local"},
    )
    return _numbers(done.stdout, r"go(\d+(?:\.\d+)+)")


def _asked(mod: Path) -> tuple[int, ...]:
    return _numbers(mod.read_text(), r"(?m)^go (\d+(?:\.\d+)+)") or (0,)


def _numbers(text: str, pattern: str) -> tuple[int, ...] | None:
    found = re.search(pattern, text)
    return tuple(int(part) for part in found[1].split(".")) if found else None
