"""Builds the cluster and the gateway with the Go toolchain, into the cache."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import time
from abc import abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ClassVar

from sandbox.core.console import say
from sandbox.core.lock import lock
from sandbox.core.part import Part, SandboxError
from sandbox.core.process import run
from sandbox.core.settings import REPOSITORY, SETTINGS

_MODULES = (
    REPOSITORY / "sandbox/kubernetes/go/cluster/go.mod",
    REPOSITORY / "sandbox/routing/go/gateway/go.mod",
)
_FETCHES_TOOLCHAINS = (1, 21)
"""The first Go release that can download the toolchain that a go.mod requires."""
_SPEAK_EVERY_SECONDS = 20.0


class GoBinary(Part):
    """Go binaries that are built once and kept in the cache."""

    needs = ("packages",)
    binary: ClassVar[str]
    """Name of the file that is written when the build is complete."""

    @abstractmethod
    def folder(self) -> Path:
        """The folder of the binaries."""

    @abstractmethod
    def make(self, target: Path) -> None:
        """Build into the empty folder ``target``."""

    def where(self) -> str:
        return "" if SETTINGS.kubeconfig else str(self.folder())

    def ready(self) -> str | None:
        if SETTINGS.kubeconfig or (self.folder() / self.binary).exists():
            return None
        return "not built yet"

    def start(self) -> None:
        if self.ready() is not None:
            make_once(self.folder(), self.make)

    def stop(self) -> None:
        """Keep the cache."""


def usable() -> bool:
    """Whether the installed Go is new enough, or can download a toolchain that is."""
    version = _version()
    return version is not None and version >= _FETCHES_TOOLCHAINS


def environment() -> dict[str, str]:
    """Variables for ``go``: the required toolchain, static binaries, no workspace."""
    version = _version()
    enough = version is not None and version >= max(_required(path) for path in _MODULES)
    return {
        **os.environ,
        "CGO_ENABLED": "0",
        "GOWORK": "off",
        "GOTOOLCHAIN": "local" if enough else "auto",
    }


def output_folder(module: Path) -> Path:
    """The output folder of ``module``, named by a hash of its sources and the Go version."""
    digest = hashlib.sha256((run_go(module, "version") if usable() else "").encode())
    for source in sorted((module / "go.mod", module / "go.sum", *module.rglob("*.go"))):
        digest.update(f"{source.relative_to(module)}\n".encode() + source.read_bytes())
    return SETTINGS.cache / f"{module.name}-{digest.hexdigest()[:16]}"


def run_go(module: Path, *words: str) -> str:
    """Run a short ``go`` command in the folder ``module``."""
    return run(["go", *words], what=f"go {words[0]}", cwd=module, env=environment())


def build(module: Path, output: Path, packages: Sequence[str], ldflags: str, who: str) -> None:
    """Build ``packages`` into the folder ``output``, with progress lines."""
    say(who, "downloading Go modules")
    run_go(module, "mod", "download")
    total = len(set(run_go(module, "list", "-deps", *packages).split()))
    words = ["go", "build", "-v", "-buildvcs=false", "-trimpath", "-mod=readonly"]
    words += ["-ldflags", f"-s -w {ldflags}", "-o", f"{output}/", *packages]
    spoken = time.monotonic()
    lines: list[str] = []
    with subprocess.Popen(
        words, cwd=module, env=environment(), stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:  # the name of each compiled package (-v), and errors
            lines.append(line.rstrip())
            if time.monotonic() - spoken > _SPEAK_EVERY_SECONDS:
                spoken = time.monotonic()
                say(who, f"compiling, {len(lines)} packages of at most {total}")
    if process.returncode != 0:
        raise SandboxError(f"go build of {module.name} failed: " + "\n".join(lines[-8:]))


def make_once(target: Path, make: Callable[[Path], None]) -> None:
    """Let ``make`` fill a folder, then rename it to ``target``. Do nothing if that exists."""
    # Parallel builds are not faster on two cores, and each linker needs 2 GiB.
    with lock("build", "another build to end"):
        if target.exists():  # another command built it meanwhile
            return
        unfinished = target.with_name(f"{target.name}.unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        make(unfinished)
        unfinished.rename(target)


def _version() -> tuple[int, ...] | None:
    if not shutil.which("go"):
        return None
    done = subprocess.run(
        ["go", "version"],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path("/"),  # outside a module, so that the installed toolchain answers
        env={**os.environ, "GOTOOLCHAIN": "local"},
    )
    return _numbers(done.stdout, r"go(\d+(?:\.\d+)+)")


def _required(mod: Path) -> tuple[int, ...]:
    return _numbers(mod.read_text(), r"(?m)^go (\d+(?:\.\d+)+)") or (0,)


def _numbers(text: str, pattern: str) -> tuple[int, ...] | None:
    found = re.search(pattern, text)
    return tuple(int(part) for part in found[1].split(".")) if found else None
