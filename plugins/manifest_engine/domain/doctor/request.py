"""Run conf and form of ``check_installation``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from manifest_engine.domain.core.errors import ManifestError
from manifest_engine.domain.environment import environments
from manifest_engine.domain.environment.environment import Environment
from manifest_engine.domain.form.form import FormField, environment_choice
from manifest_engine.domain.manifest import run_conf

_FIELD = "environment"


def parse(
    conf: Mapping[str, Any], configured: Mapping[str, Environment]
) -> tuple[str, Environment]:
    """Name and settings of the environment in a run conf.

    :raises ManifestError: when the environment is missing or not configured.
    """
    run_conf.require_small(conf)
    run_conf.require_printable(conf)
    name = conf.get(_FIELD)
    if not isinstance(name, str) or conf.keys() != {_FIELD}:
        raise ManifestError(
            f"The request is not valid: the only field is {_FIELD!r}, the name of an environment."
        )
    return name, environments.find(name, dict(configured))


def form_fields(configured: Mapping[str, Environment]) -> list[FormField]:
    """The fields of the run form."""
    schema = {
        "type": "string",
        "title": "Environment",
        "description_md": "The environment whose Connections, rights and Gateway are checked.",
        **environment_choice(configured),
    }
    return [FormField(_FIELD, required=True, default=None, schema=schema)]
