"""Makes the images of docker-compose.yaml from Debian's packages if they cannot be pulled.

The made images have the names of the pulled images, so that docker-compose.yaml runs unchanged. One
archive in the cache holds all of them, because they share the base image.
"""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import Any

from sandbox.core.console import say
from sandbox.core.part import SandboxError
from sandbox.core.settings import REPOSITORY, SETTINGS
from sandbox.engine import base_image, docker_cli
from sandbox.machine import packages

_FOLDER = REPOSITORY / "sandbox/compose/images"
_LOCK = REPOSITORY / "compose/requirements.lock"
_LABEL = "manifest-engine.recipe"
"""Label of a made image: the hash of its recipe."""
_KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
_APT = """\
Dir::Etc::SourceList "/dev/null";
Dir::Etc::SourceParts "/apt/sources";
Dir::Etc::PreferencesParts "/apt/preferences";
APT::Sandbox::User "root";
"""
_PREFERENCES = """\
Package: *
Pin: release n=trixie
Pin-Priority: 50

Package: docker.io docker-cli docker-buildx containerd
Pin: release n=trixie
Pin-Priority: 600
"""


def names(configuration: dict[str, Any]) -> dict[str, str]:
    """The image that each Dockerfile stands in for, by the name of the Dockerfile.

    :param configuration: output of ``docker compose config``.
    """
    services = configuration["services"]
    return {
        "postgres": services["postgres"]["image"],
        "redis": services["redis"]["image"],
        "azurite": services["azurite"]["image"],
        "docker": services["builder-1"]["image"],
        "airflow": services["init"]["build"]["args"]["AIRFLOW_IMAGE"],
    }


def provide(images: dict[str, str], host: str | None) -> None:
    """Make the images unless the engine at ``host`` has or can pull them. Raises SandboxError."""
    key = _key(images)
    if all(_current(image, key, host) for image in images.values()):
        return
    archive = SETTINGS.cache / f"compose-images-{key}.tar"
    if not archive.exists():
        if docker_cli.can_pull(images["postgres"], host):
            return  # compose pulls them itself
        _make(images, archive, key, host)
        return
    say("compose", "loading the images from the cache")
    docker_cli.docker("load", "--input", archive, host=host, what="loading the stack's images")


def _current(image: str, key: str, host: str | None) -> bool:
    """Whether the engine has the image: pulled, or made with the current recipe."""
    label = f'{{{{index .Config.Labels "{_LABEL}"}}}}'
    words = ("image", "inspect", "--format", label, image)
    try:
        made_by = docker_cli.docker(*words, host=host, what="looking", seconds=10).strip()
    except SandboxError:
        return False
    return made_by in ("", key)


def _key(images: dict[str, str]) -> str:
    """A hash of the recipes and the images' names."""
    files = [*sorted(_FOLDER.glob("*.Dockerfile")), _LOCK]
    content = [file.read_bytes() for file in files]
    words = [base_image.archive().name, _PREFERENCES, repr(images)]
    parts = [*content, *(word.encode() for word in words)]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:16]


def _make(images: dict[str, str], target: Path, key: str, host: str | None) -> None:
    work = target.with_suffix(".work")
    shutil.rmtree(work, ignore_errors=True)  # of a killed attempt
    _write_contexts(work)
    try:
        for name, image in images.items():
            say("compose", f"{image} cannot be pulled: making it from Debian's packages")
            docker_cli.docker(
                *("buildx", "build", "--quiet", "--provenance=false", "--tag", image),
                *("--label", f"{_LABEL}={key}"),
                *("--build-context", f"apt={work / 'apt'}"),
                *("--build-context", f"requirements={work / 'requirements'}"),
                *("--file", _FOLDER / f"{name}.Dockerfile", _FOLDER),
                host=host,
                what=f"making {image}",
            )
        draft = work / "images.tar"
        docker_cli.docker(
            *("save", "--output", draft), *images.values(), host=host, what="saving the images"
        )
        for old in target.parent.glob("compose-images-*.tar"):  # 2 GB each
            old.unlink()
        draft.replace(target)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _write_contexts(work: Path) -> None:
    """Write build contexts with the machine's mirror, which no layer may contain."""
    address = packages.debian_source().address
    for folder in ("apt/sources", "apt/preferences", "requirements"):
        (work / folder).mkdir(parents=True)
    for suite in ("bookworm", "trixie"):
        line = f"deb [signed-by={_KEYRING}] {address} {suite} main\n"
        (work / f"apt/sources/{suite}.list").write_text(line)
    (work / "apt/preferences/trixie").write_text(_PREFERENCES)
    (work / "apt/apt.conf").write_text(_APT)
    shutil.copyfile(_LOCK, work / "requirements" / _LOCK.name)
