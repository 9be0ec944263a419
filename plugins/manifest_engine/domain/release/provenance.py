"""What an image was built from: noted on its Deployment, and compared by the nightly rebuild."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from pydantic import ConfigDict, ValidationError

from manifest_engine.domain.core.model import Model
from manifest_engine.domain.manifest.values import Sha256


class Provenance(Model):
    """Besides the artifact, all that an image follows from."""

    model_config = ConfigDict(validate_by_name=True)

    dockerfile: Sha256
    """Of the Dockerfile's text."""
    standard: bool
    """Whether that was the standard Dockerfile; else it is the artifact's own."""
    args: dict[str, str]
    """Build arguments."""
    bases: dict[str, str]
    """Digest by normalized reference; the engine's id of an image that no registry has."""

    def dump(self) -> dict[str, Any]:
        """As JSON-compatible data, for XCom."""
        return self.model_dump(mode="json", by_alias=True)


def of(
    dockerfile: bytes, *, standard: bool, args: Mapping[str, str], bases: Mapping[str, str]
) -> Provenance:
    """The record of a build that has just ended."""
    return Provenance(
        dockerfile=hashlib.sha256(dockerfile).hexdigest(),
        standard=standard,
        args=dict(args),
        bases=dict(bases),
    )


def annotation_value(data: Mapping[str, Any]) -> str:
    """The record as an annotation's value; the same for the same record."""
    return json.dumps(data, sort_keys=True, separators=(",", ":"))


def read(text: str | None) -> Provenance | None:
    """The record of an annotation's value; None when there is none, or another version wrote it."""
    try:
        return Provenance.model_validate(json.loads(text or "null"))
    except (ValueError, ValidationError):
        return None
