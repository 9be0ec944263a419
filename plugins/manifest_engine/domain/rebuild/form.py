"""Run conf of ``rebuild_services``. Every field is optional."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from manifest_engine.domain.core import names
from manifest_engine.domain.core.errors import ManifestError
from manifest_engine.domain.core.model import Model
from manifest_engine.domain.environment.environment import Environment
from manifest_engine.domain.manifest import run_conf
from manifest_engine.domain.rebuild.deployed import Selection


class Request(Model):
    """The run conf of ``rebuild_services``."""

    environment: str | None = Field(
        None,
        max_length=names.LABEL_MAX,
        title="Environment",
        description="Empty: all environments.",
    )
    component: str | None = Field(
        None,
        max_length=names.LABEL_MAX,
        title="Component",
        description="Empty: all components.",
    )
    service_name: str | None = Field(
        None,
        max_length=names.LABEL_MAX,
        title="Service name",
        description="Empty: all services.",
    )
    force: bool = Field(
        False,
        title="Force",
        description="Rebuild each of them without cache, so that packages whose version is not "
        "pinned move.",
    )


def parse(conf: Mapping[str, Any], configured: Mapping[str, Environment]) -> Selection:
    """Read a run conf. Null and empty fields count as missing.

    :raises ManifestError: naming every problem.
    """
    asked = run_conf.parse(Request, conf, "request", missing=(None, ""))
    if asked.environment is not None and asked.environment not in configured:
        raise ManifestError(
            f"The environment {asked.environment!r} is not configured; configured: "
            f"{', '.join(sorted(configured))}."
        )
    return Selection(asked.environment, asked.component, asked.service_name, asked.force)
