"""The environments that a manifest can name: ``include/environments.yaml``.

The file is its own manual; this module is its schema. Unknown keys are refused.
"""

from __future__ import annotations

import difflib
import os
import zoneinfo
from collections.abc import Mapping
from datetime import timedelta
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import Field, StringConstraints, ValidationError, field_validator, model_validator

from manifest_engine.domain import names
from manifest_engine.domain.errors import ConfigurationError, ManifestError
from manifest_engine.domain.model import Model

DnsLabel = Annotated[str, StringConstraints(pattern=names.DNS_LABEL)]

PATH_VARIABLE = "MANIFEST_ENGINE_ENVIRONMENTS"
"""Environment variable that names another file than ``include/environments.yaml``."""
INCLUDE = Path(__file__).resolve().parents[3] / "include"
"""The folder ``include/`` next to ``plugins/``."""


class Artifactory(Model):
    """Where artifacts come from."""

    connection: str
    repository: str


class PackageIndex(Model):
    """The private Python index that has ``internal-utils``."""

    connection: str


class Registry(Model):
    """The Azure Container Registry; its login server is the connection's host."""

    connection: str


class Cluster(Model):
    """The Kubernetes cluster and how pods run there."""

    connection: str
    namespace: DnsLabel
    image_pull_secrets: tuple[str, ...] = ()
    service_account: str | None = None
    node_selector: dict[str, str] = Field(default_factory=dict)
    force_conflicts: bool = False


class Gateway(Model):
    """The Gateway that HTTPRoutes attach to (Gateway API)."""

    name: DnsLabel
    namespace: DnsLabel
    section: str | None = None


class Ingress(Model):
    """The IngressClass of an environment that routes by Ingress."""

    class_name: str


class Routing(Model):
    """How the public reaches the services."""

    api: Literal["gateway", "ingress"] = "gateway"
    url: Annotated[str, StringConstraints(pattern=r"^https?://[^/]+$")]
    host: str | None = None
    gateway: Gateway | None = None
    ingress: Ingress | None = None

    @model_validator(mode="after")
    def _has_its_block(self) -> Routing:
        if getattr(self, self.api) is None:
            raise ValueError(f"api is {self.api!r}, so the block {self.api!r} must be given")
        return self


class Limits(Model):
    """What an artifact may be; against ZIP bombs and mistakes."""

    total_mebibytes: int = Field(4096, ge=1)
    members: int = Field(100_000, ge=1)
    ratio: int = Field(200, ge=1)


class Approval(Model):
    """Deployments wait until somebody lets them go on."""

    approvers: tuple[str, ...] = ()
    timeout_minutes: int = Field(24 * 60, ge=1)
    exempt_rebuilds: bool = False
    self_approval: bool = True


class Environment(Model):
    """One named target."""

    description: str = ""
    artifactory: Artifactory
    builders: tuple[str, ...] = Field(min_length=1)
    package_index: PackageIndex | None = None
    registry: Registry
    cluster: Cluster
    routing: Routing
    limits: Limits = Limits()
    approval: Approval | None = None

    @field_validator("approval", mode="before")
    @classmethod
    def _true_is_anyone(cls, given: Any) -> Any:
        return {True: {}, False: None}[given] if isinstance(given, bool) else given


class Rebuilds(Model):
    """When ``rebuild_services`` runs, and how much it does at once."""

    cron: str = "30 2 * * *"
    timezone: str = "UTC"
    at_once: int = Field(4, ge=1, le=100)

    @field_validator("timezone")
    @classmethod
    def _is_zone(cls, name: str) -> str:
        try:
            zoneinfo.ZoneInfo(name)
        except (KeyError, ValueError, OSError) as error:  # OSError: a folder of zones
            raise ValueError(f"{name!r} is no time zone such as Europe/Berlin") from error
        return name


class _File(Model):
    environments: dict[DnsLabel, Environment] = Field(min_length=1)
    rebuilds: Rebuilds = Rebuilds()


def default_path() -> Path:
    """The file in force: that of ``MANIFEST_ENGINE_ENVIRONMENTS``, else the one in ``include/``."""
    given = os.environ.get(PATH_VARIABLE)
    return Path(given) if given else INCLUDE / "environments.yaml"


def load(path: Path | None = None) -> dict[str, Environment]:
    """Read and check the file's environments.

    :raises ConfigurationError: naming file, key and what is wrong with it.
    """
    return dict(_file(path).environments)


def rebuilds(path: Path | None = None) -> Rebuilds:
    """Read and check what the file says of the nightly rebuilds; raises as :func:`load`."""
    return _file(path).rebuilds


def _file(path: Path | None) -> _File:
    path = path or default_path()
    try:
        changed = path.stat().st_mtime_ns
    except OSError as error:
        raise ConfigurationError(
            f"The environments file {path} cannot be read ({error.strerror}); put "
            f"environments.yaml next to plugins/ in include/, or set {PATH_VARIABLE}."
        ) from error
    return _load(path, changed)


@lru_cache(maxsize=4)
def _load(path: Path, _changed: int) -> _File:
    try:
        content: Any = yaml.safe_load(path.read_text())
    except yaml.YAMLError as error:
        raise ConfigurationError(f"{path} is not valid YAML: {error}") from error
    try:
        # YAML has lists where the models hold tuples: JSON mode of strict validation allows that.
        return _File.model_validate(content, strict=False)
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(str(step) for step in item['loc'])}: {item['msg']}"
            for item in error.errors(include_url=False)
        )
        raise ConfigurationError(f"{path} is not valid: {problems}.") from None


def longest_approval(configured: Mapping[str, Environment]) -> timedelta:
    """How long a run may wait for an answer, in any of them."""
    minutes = [item.approval.timeout_minutes for item in configured.values() if item.approval]
    return timedelta(minutes=max(minutes, default=0))


def find(name: str, configured: dict[str, Environment]) -> Environment:
    """The environment of that name.

    :raises ManifestError: listing the configured ones, the nearest first suggested.
    """
    if name in configured:
        return configured[name]
    close = difflib.get_close_matches(name, configured, n=1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    raise ManifestError(
        f"The environment {name!r} is not configured; {hint}configured: "
        f"{', '.join(sorted(configured))}."
    )
