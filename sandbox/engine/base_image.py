"""The image ``python:3.11`` in the engine: pulled, or made from Debian's packages.

The made image is cached as an archive for ``docker load``. All engines then have the same image id,
so that builds on the image have the same digests.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import shutil
import tarfile
from pathlib import Path

from sandbox.core.console import say
from sandbox.core.part import Part, SandboxError
from sandbox.core.process import run
from sandbox.core.settings import SETTINGS
from sandbox.engine import docker_cli
from sandbox.engine.engine import Engine
from sandbox.machine import mounts, packages

IMAGE = "python:3.11"
_SUITE = "bookworm"
"""The Debian release whose python3 is 3.11."""
_BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")
_PULL_SECONDS = 300


class BaseImage(Part):
    """``python:3.11`` in the engine. A cached image loads in a few seconds."""

    name = "base-image"
    needs = ("engine",)

    def __init__(self) -> None:
        self._engine = Engine()

    def start(self) -> None:
        if not archive().exists() and self._pull():
            return
        load(self._engine.host)

    def ready(self) -> str | None:
        try:
            docker_cli.docker(
                "image", "inspect", IMAGE, host=self._engine.host, what="looking", seconds=2
            )
        except SandboxError:
            return f"{IMAGE} is not in the engine"
        return None

    def stop(self) -> None:
        """Keep the image. The sandbox's own engine removes its images when the engine stops."""

    def where(self) -> str:
        return IMAGE

    def _pull(self) -> bool:
        """Pull the image. False if the registry does not answer or the pull fails."""
        host = self._engine.host
        if not docker_cli.can_pull(IMAGE, host):
            return False
        try:
            docker_cli.docker("pull", IMAGE, host=host, what="pulling", seconds=_PULL_SECONDS)
        except SandboxError:
            return False
        return True


def load(host: str | None) -> None:
    """Load the made image into the engine at ``host``. Make the image if it is not cached."""
    if not archive().exists():
        say(
            BaseImage.name, f"{IMAGE} cannot be pulled: making it from Debian's packages (a minute)"
        )
        _make(archive())
    docker_cli.docker("load", "--input", archive(), host=host, what=f"loading {IMAGE}")


def archive() -> Path:
    """The cached archive. Its name has a hash of the recipe and of the machine's CA bundle."""
    ingredients = inspect.getsource(_fill) + inspect.getsource(_settings) + repr(_EXCLUDED)
    key = hashlib.sha256(ingredients.encode() + _BUNDLE.read_bytes()).hexdigest()[:16]
    return SETTINGS.cache / f"base-image-{key}.tar"


def _fill(root: Path) -> None:
    """The recipe: what Debian has, and what is different in the image of that name."""
    run(
        [
            *("debootstrap", "--variant=minbase"),
            "--include=ca-certificates,python3,python3-venv,python3-pip",
            *(_SUITE, root, packages.debian_source().address),
        ],
        what="debootstrap",
    )
    # The names that Dockerfiles use.
    for name, target in {"python": "python3", "python3": "python3", "pip": "pip3"}.items():
        (root / "usr/local/bin" / name).symlink_to(f"/usr/bin/{target}")
    # There pip installs into the system; Debian's refuses.
    for marker in root.glob("usr/lib/python3*/EXTERNALLY-MANAGED"):
        marker.unlink()
    # pip in a build must trust what pip on this machine trusts.
    shutil.copyfile(_BUNDLE, root / "etc/ssl/certs/ca-certificates.crt")
    # It names the mirror that this machine uses, as do the logs, which are left out as well.
    (root / "etc/apt/sources.list").write_text("")


_EXCLUDED = (
    *("./dev/*", "./proc/*", "./sys/*", "./tmp/*", "./run/*"),
    *("./var/cache/*/*", "./var/lib/apt/lists/*", "./var/log/*"),
    # debootstrap copies these two from the machine.
    *("./etc/resolv.conf", "./etc/hostname"),
)
"""Files that an image does not need, or that differ between two builds."""


def _settings() -> dict[str, object]:
    return {
        "Env": [
            "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "LANG=C.UTF-8",
            "SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt",
        ],
        "Cmd": ["python3"],
    }


def _make(target: Path) -> None:
    """Write the image archive: one layer with the recipe's files, and the configuration."""
    work = target.with_suffix(".work")
    mounts.remove(work)  # of a killed attempt
    work.mkdir(parents=True)
    try:
        _fill(work / "root")
        layer = work / "layer.tar"
        options = ["--sort=name", "--mtime=@0", "--numeric-owner", "--anchored", "--wildcards"]
        options += [f"--exclude={pattern}" for pattern in _EXCLUDED]
        run(["tar", "-C", work / "root", *options, "-cf", layer, "."], what="packing the image")
        with layer.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        configuration = {
            "architecture": run(["dpkg", "--print-architecture"], what="dpkg").strip(),
            "os": "linux",
            "created": "1970-01-01T00:00:00Z",
            "config": _settings(),
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
            "history": [{"created": "1970-01-01T00:00:00Z", "created_by": "debootstrap"}],
        }
        (work / "config.json").write_text(json.dumps(configuration))
        index = [{"Config": "config.json", "RepoTags": [IMAGE], "Layers": ["layer.tar"]}]
        (work / "manifest.json").write_text(json.dumps(index))
        with tarfile.open(work / "image.tar", "w") as image:
            for name in ("manifest.json", "config.json", "layer.tar"):
                image.add(work / name, name)
        (work / "image.tar").replace(target)
    finally:
        mounts.remove(work)
