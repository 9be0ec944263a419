"""Builds Kubernetes from its Go modules, because Debian has no packages of its servers."""

from __future__ import annotations

import re
from pathlib import Path

from sandbox.core.settings import REPOSITORY
from sandbox.machine import golang

_MODULE = REPOSITORY / "sandbox/kubernetes/go/cluster"


class ClusterBinary(golang.GoBinary):
    """The binaries ``cluster`` (all components) and ``pause``, in the cache."""

    name = "cluster-binary"
    binary = "cluster"

    def folder(self) -> Path:
        return folder()

    def make(self, target: Path) -> None:
        golang.build(_MODULE, target, [".", "./pause"], _version_flags(), self.name)


def folder() -> Path:
    """The folder of ``cluster`` and ``pause``."""
    return golang.output_folder(_MODULE)


def _version_flags() -> str:
    """Linker flags that set the version, which clients require and a module build lacks."""
    found = re.search(r"k8s\.io/kubernetes (v(\d+)\.(\d+)\.\d+)", (_MODULE / "go.mod").read_text())
    assert found is not None
    version, major, minor = found.groups()
    values = {
        "k8s.io/component-base/version.gitVersion": version,
        "k8s.io/component-base/version.gitMajor": major,
        "k8s.io/component-base/version.gitMinor": minor,
        "k8s.io/client-go/pkg/version.gitVersion": version,
    }
    return " ".join(f"-X {name}={value}" for name, value in values.items())
