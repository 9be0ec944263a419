"""Builds the service of this folder with the standard Dockerfile."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.integration.conftest import REPOSITORY

_SERVICE = Path(__file__).with_name("service")


def docker(*words: str) -> str:
    done = subprocess.run(
        ["docker", *words], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, f"docker {' '.join(words)}: {done.stderr}"
    return done.stdout.strip()


def build(*tags: str) -> str:
    """Build the service, and return the id of the image."""
    names = [word for tag in tags for word in ("-t", tag)]
    dockerfile = str(REPOSITORY / "include/Dockerfile")
    options = ("-q", "--load", "--provenance=false", "-f", dockerfile)
    return docker("buildx", "build", *options, *names, str(_SERVICE))
