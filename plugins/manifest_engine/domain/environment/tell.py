"""Receivers of messages about deployments: the blocks ``events`` and ``notify``."""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args
from urllib.parse import urlsplit

from pydantic import Field, StringConstraints, model_validator

from manifest_engine.domain.core.model import Model

Kind = Literal[
    "artifact.packaged",
    "artifact.published",
    "service.deployed",
    "service.upgraded",
    "service.rolledback",
    "service.removed",
    "service.drifted",
    "deployment.waiting",
    "deployment.failed",
    "deployment.superseded",
    "deployment.cancelled",
]
"""The events by their names in ``environments.yaml``."""
KINDS: tuple[Kind, ...] = get_args(Kind)
Occasion = Literal["failed", "waiting", "live"]
"""Reasons for a chat message."""
_URL = r"^https?://[^@\s/?#]+(/[^@\s#]*)?$"


class Sink(Model):
    """A webhook that receives events."""

    url: Annotated[str, StringConstraints(pattern=_URL, max_length=2000)]
    connection: str
    types: tuple[Kind, ...] = KINDS
    allow_http: bool = False

    @model_validator(mode="after")
    def _is_encrypted(self) -> Sink:
        if urlsplit(self.url).scheme == "http" and not self.allow_http:
            raise ValueError(
                f"{self.url} is not encrypted; use https, or set allowHttp: true for a receiver "
                "inside the cluster"
            )
        return self


class Notify(Model):
    """A chat that receives messages through an Airflow notifier."""

    notifier: Annotated[str, StringConstraints(pattern=r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)+$")]
    arguments: dict[str, Any] = Field(default_factory=dict)
    text_argument: str = "body"
    when: Annotated[tuple[Occasion, ...], Field(min_length=1)] = get_args(Occasion)
