"""Programs that people use with Azure, registries and builders, installed once into the cache."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from sandbox.core.settings import SETTINGS

HOME = SETTINGS.cache / "clients"
AZURE_CLI = "azure-cli==2.91.0"
GO_TOOLS = {
    "oras": "oras.land/oras/cmd/oras@v1.3.6",
    "crane": "github.com/google/go-containerregistry/cmd/crane@v0.22.1",
    "dockerfile-frontend": (
        "github.com/moby/buildkit/frontend/dockerfile/cmd/dockerfile-frontend@v0.13.2"
    ),
}
"""Go modules of the clients. JFrog's CLI cannot be installed as a Go module."""


def az() -> Path:
    """Microsoft's ``az``, in an environment of its own."""
    home = HOME / "az"
    if not (home / "complete").exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", home], check=True)
        uv = Path(sys.executable).with_name("uv")
        python = home / "bin/python"
        subprocess.run([uv, "pip", "install", "-q", "--python", python, AZURE_CLI], check=True)
        (home / "complete").touch()
    return home / "bin/az"


def go_tool(name: str) -> Path:
    """A program of :data:`GO_TOOLS`."""
    program = HOME / "bin" / name
    if not program.exists():
        made = {**os.environ, "GOBIN": str(program.parent), "CGO_ENABLED": "0", "GOFLAGS": ""}
        words = ["go", "install", "-p", "1", GO_TOOLS[name]]
        subprocess.run(words, check=True, cwd="/", env=made)
    return program
