"""Reads and checks ``include/environments.yaml``, the environments that a manifest can name."""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from datetime import timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml
from pydantic import Field, ValidationError, model_validator

from manifest_engine import installation
from manifest_engine.domain.core.errors import ConfigurationError, ManifestError
from manifest_engine.domain.core.model import Model
from manifest_engine.domain.environment.environment import DnsLabel, Environment, Rebuilds

PATH_VARIABLE = "MANIFEST_ENGINE_ENVIRONMENTS"
"""Environment variable with the path of a file that replaces ``include/environments.yaml``."""
INCLUDE = installation.include_folder()
"""The folder ``include/``: inside an installed package, else next to ``plugins/``."""


class _File(Model):
    environments: dict[DnsLabel, Environment] = Field(min_length=1)
    rebuilds: Rebuilds = Rebuilds()

    @model_validator(mode="after")
    def _rebuilds_have_an_order(self) -> _File:
        _require_order(self.environments)
        return self

    @model_validator(mode="after")
    def _namespaces_are_not_shared(self) -> _File:
        """Refuse two environments in one namespace: their objects would have the same names.

        The check compares connection ids, so it misses two connections to one cluster.
        """
        known: dict[tuple[str, str], str] = {}
        for name, environment in self.environments.items():
            cluster = environment.cluster
            first = known.setdefault((cluster.connection, cluster.namespace), name)
            if first != name:
                raise ValueError(
                    f"the environments {first!r} and {name!r} have the same cluster.connection "
                    f"{cluster.connection!r} and the same cluster.namespace "
                    f"{cluster.namespace!r}: a service deployed to both would overwrite itself, "
                    "since its objects have the same names. Give one of them another namespace"
                )
        return self


def _require_order(environments: Mapping[str, Environment]) -> None:
    """Refuse ``rebuilds.after`` that names no other environment, or a circle of environments.

    :raises ValueError: naming the environment.
    """
    for name in environments:
        passed = [name]
        while after := environments[passed[-1]].rebuilds.after:
            if after not in environments:
                raise ValueError(
                    f"rebuilds.after of {passed[-1]!r} names {after!r}, which is not configured"
                )
            if after in passed:
                raise ValueError(
                    f"rebuilds.after makes a circle: {' after '.join([*passed, after])}; leave it "
                    "out in the environment that is rebuilt first"
                )
            passed.append(after)


def default_path() -> Path:
    """The path in ``MANIFEST_ENGINE_ENVIRONMENTS``, else ``include/environments.yaml``."""
    given = os.environ.get(PATH_VARIABLE)
    return Path(given) if given else INCLUDE / "environments.yaml"


def load(path: Path | None = None) -> dict[str, Environment]:
    """Read and check the file's environments.

    :raises ConfigurationError: naming the file, the key and the problem.
    """
    return dict(_file(path).environments)


def rebuilds() -> Rebuilds:
    """Read and check the file's block ``rebuilds``; raises as :func:`load`."""
    return _file(None).rebuilds


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
        # Not strict: YAML has lists where the models have tuples.
        return _File.model_validate(content, strict=False)
    except ValidationError as error:
        problems = "; ".join(
            ": ".join(filter(None, (".".join(map(str, item["loc"])), item["msg"])))
            for item in error.errors(include_url=False)
        )
        raise ConfigurationError(f"{path} is not valid: {problems}.") from None


def longest_approval(configured: Mapping[str, Environment]) -> timedelta:
    """The longest time that a run waits for an approval in any environment."""
    minutes = [item.approval.timeout_minutes for item in configured.values() if item.approval]
    return timedelta(minutes=max(minutes, default=0))


def find(name: str, configured: dict[str, Environment]) -> Environment:
    """The environment with this name.

    :raises ManifestError: listing the configured environments and suggesting the nearest name.
    """
    if name in configured:
        return configured[name]
    close = difflib.get_close_matches(name, configured, n=1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    raise ManifestError(
        f"The environment {name!r} is not configured; {hint}configured: "
        f"{', '.join(sorted(configured))}."
    )
