"""Faults of Entra ID and of Azure Resource Manager, for tests; active only with ``--faults``.

``PUT /_faults`` with the JSON of :class:`Faults` sets them.
"""

from __future__ import annotations

import base64
import json
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict


class Faults(BaseModel):
    """The active faults."""

    model_config = ConfigDict(extra="forbid")

    throttled: int = 0
    """Number of next requests that are answered with 429 and Retry-After."""
    revoked_before: int = 0
    """Azure Resource Manager challenges tokens that were issued before this Unix time."""

    def throttle(self) -> bool:
        """Whether this request is answered with 429."""
        found = self.throttled > 0
        self.throttled -= found
        return found

    def claims(self) -> str:
        """A claims challenge, which asks for a newer token.

        Source: github.com/Azure/azure-cli/pull/23635, read 2026-11.
        """
        needed = {"nbf": {"essential": True, "value": str(self.revoked_before)}}
        return base64.b64encode(json.dumps({"access_token": needed}).encode()).decode()


def install(app: FastAPI, *, active: bool) -> Faults:
    """Add the faults to an app; requests can only change them if ``active``."""
    faults = Faults()
    if active:

        @app.put("/_faults")
        def switch(wanted: Faults) -> dict[str, Any]:
            for name, value in wanted:
                setattr(faults, name, value)
            return faults.model_dump()

    return faults
