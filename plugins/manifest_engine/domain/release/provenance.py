"""Provenance of an image: recorded on its Deployment and compared by the nightly rebuild."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from pydantic import ConfigDict, ValidationError

from manifest_engine.domain.core.model import Model
from manifest_engine.domain.manifest.values import Sha256


class Provenance(Model):
    """Everything besides the artifact that determines an image."""

    model_config = ConfigDict(validate_by_name=True)

    dockerfile: Sha256
    """SHA-256 of the Dockerfile's text."""
    standard: bool
    """Whether the Dockerfile is the standard one; otherwise the artifact contains it."""
    args: dict[str, str]
    """Build arguments."""
    bases: dict[str, str]
    """Base images: digest by normalized reference. An image that no registry has is recorded by the
    engine's image ID."""


def of(
    dockerfile: bytes, *, standard: bool, args: Mapping[str, str], bases: Mapping[str, str]
) -> Provenance:
    """The provenance of a finished build."""
    return Provenance(
        dockerfile=hashlib.sha256(dockerfile).hexdigest(),
        standard=standard,
        args=dict(args),
        bases=dict(bases),
    )


def annotation_value(data: Mapping[str, Any]) -> str:
    """Provenance as an annotation value; equal provenance gives equal values."""
    return json.dumps(data, sort_keys=True, separators=(",", ":"))


def read(text: str | None) -> Provenance | None:
    """Parse an annotation value; None when it is missing or another version's format."""
    try:
        return Provenance.model_validate(json.loads(text or "null"))
    except (ValueError, ValidationError):
        return None
