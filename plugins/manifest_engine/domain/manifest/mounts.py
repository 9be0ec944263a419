"""Files and volumes of a manifest: sources, and the paths where a service may find them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from manifest_engine.domain.core.model import Model
from manifest_engine.domain.environment.amounts import Quantity

_PATH = re.compile(r"(/[A-Za-z0-9._-]{1,100}){1,16}")
_SYSTEM = frozenset(
    {
        *("/bin", "/boot", "/code", "/etc", "/home", "/lib", "/lib32", "/lib64", "/root", "/run"),
        *("/sbin", "/usr", "/usr/bin", "/usr/lib", "/usr/local", "/usr/local/bin"),
        *("/usr/local/lib", "/usr/sbin", "/var", "/var/lib", "/var/run"),
    }
)
"""Folders of the image that a volume would hide; folders in them are allowed. ``/code`` has the
service itself (``include/Dockerfile``)."""
_CLOSED = ("/dev", "/proc", "/sys", "/run/secrets", "/var/run/secrets")
"""Folders of the runtime, and those in which Kubernetes and its webhooks mount tokens."""
_SHARED_MEMORY = "/dev/shm"  # noqa: S108 (a mount path)
_KUBELETS = frozenset({"/etc/hosts", "/etc/hostname", "/etc/resolv.conf"})
"""Files that the kubelet mounts itself."""
MOUNTS_MAX = 32

_OBJECT_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")
_KEY = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,252}")


def _object_name(text: str) -> str:
    if not _OBJECT_NAME.fullmatch(text):
        raise ValueError(
            f"{text[:80]!r} is not the name of a Kubernetes object (lower-case letters, digits, "
            "'-' and '.')"
        )
    return text


def _key(text: str) -> str:
    if not _KEY.fullmatch(text):
        raise ValueError(f"{text[:80]!r} is not the key of a Secret or ConfigMap")
    return text


ObjectName = Annotated[str, AfterValidator(_object_name)]
Key = Annotated[str, AfterValidator(_key)]


class EmptyDir(Model):
    """An empty folder that lives as long as the pod."""

    size_limit: Quantity = Field("1Gi", description="A pod that writes more is evicted.")
    medium: Literal["Memory"] | None = Field(
        None, description="`Memory`: in RAM, counted as memory of the container; empty: on disk."
    )


class Volume(Model):
    """A folder in the container, from exactly one source: `secret`, `configMap`,
    `secretProviderClass` or `emptyDir`. All but `emptyDir` are read-only."""

    secret: ObjectName | None = Field(
        None, description="A Kubernetes Secret of the namespace; `keys` are required."
    )
    config_map: ObjectName | None = Field(None, description="A ConfigMap of the namespace.")
    secret_provider_class: ObjectName | None = Field(
        None,
        description="A SecretProviderClass of the Secrets Store CSI driver, e.g. for Azure Key "
        "Vault.",
    )
    empty_dir: EmptyDir | None = Field(
        None,
        description='E.g. `{"sizeLimit": "2Gi"}`, by default `1Gi`; with `"medium": "Memory"` in '
        "RAM.",
    )
    keys: list[Key] = Field(
        default_factory=list,
        max_length=MOUNTS_MAX,
        description="The keys of `secret` or `configMap` that become files; empty: all keys of the "
        "ConfigMap.",
    )

    @model_validator(mode="after")
    def _has_one_source(self) -> Volume:
        sources = {
            "secret": self.secret,
            "configMap": self.config_map,
            "secretProviderClass": self.secret_provider_class,
            "emptyDir": self.empty_dir,
        }
        given = [name for name, value in sources.items() if value is not None]
        if len(given) != 1:
            raise ValueError(
                f"a volume has exactly one of {', '.join(sources)}; "
                f"{', '.join(given) or 'none'} is given"
            )
        if self.secret and not self.keys:
            raise ValueError('name the keys of the Secret, e.g. "keys": ["tls.crt", "tls.key"]')
        if self.keys and not (self.secret or self.config_map):
            raise ValueError(f"keys are those of a Secret or ConfigMap, {given[0]} has none")
        return self


def _mount_paths(paths: Iterable[str]) -> None:
    for path in paths:
        if not _PATH.fullmatch(path) or {".", ".."} & set(path.split("/")):
            raise ValueError(
                f"{path[:80]!r} is not an absolute path of letters, digits, '.', '_' and '-', such "
                "as /etc/quotes/settings.yaml"
            )
        if path in _SYSTEM or path in _KUBELETS:
            raise ValueError(
                f"{path} belongs to the image or to Kubernetes and cannot be replaced; choose a "
                "path below it or another one, such as /etc/quotes or /mnt/data"
            )
        for closed in _CLOSED:
            if (path == closed or path.startswith(f"{closed}/")) and path != _SHARED_MEMORY:
                raise ValueError(f"nothing can be mounted at {path}, in {closed}")


def _files(files: dict[str, str]) -> dict[str, str]:
    _mount_paths(files)
    if _SHARED_MEMORY in files:
        raise ValueError(f"{_SHARED_MEMORY} is a folder")
    return files


def _volumes(volumes: dict[str, Volume]) -> dict[str, Volume]:
    _mount_paths(volumes)
    return volumes


def overlap(files: Iterable[str], volumes: Iterable[str]) -> str:
    """A sentence on two mounts of which one contains the other; empty if there are none."""
    paths = [*files, *volumes]
    known = set(paths)
    for path in paths:
        parents = [path[:place] for place, sign in enumerate(path) if sign == "/" and place]
        if inside := next((parent for parent in parents if parent in known), None):
            return f"{path} lies in {inside}, which is mounted as well; choose another path"
    twice = sorted(set(files) & set(volumes))
    return f"{twice[0]} is in files and in volumes; keep only one of them" if twice else ""


Files = Annotated[dict[str, str], Field(max_length=MOUNTS_MAX), AfterValidator(_files)]
Volumes = Annotated[dict[str, Volume], Field(max_length=MOUNTS_MAX), AfterValidator(_volumes)]
