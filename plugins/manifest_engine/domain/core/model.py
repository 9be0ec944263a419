"""The base of all JSON models."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel


class Model(BaseModel):
    """A frozen model with camelCase keys in JSON. Unknown keys are refused."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        alias_generator=to_camel,
        strict=True,
        hide_input_in_errors=True,
    )

    def dump(self) -> dict[str, Any]:
        """The model as JSON-compatible data, for XCom."""
        return self.model_dump(mode="json", by_alias=True)
