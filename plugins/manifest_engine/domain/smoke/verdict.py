"""The verdict of a smoke test, bound to one image digest and one run."""

from __future__ import annotations

import json
from typing import Any

from pydantic import ConfigDict, ValidationError

from manifest_engine.domain.core import printable
from manifest_engine.domain.core.errors import NothingHandedOver, SmokeTestFailed, StateError
from manifest_engine.domain.core.model import Model


class Verdict(Model):
    """What was asked of the new image, and what it answered."""

    model_config = ConfigDict(validate_by_name=True)

    digest: str
    run_id: str
    asked: str
    """The path."""
    status: int | None = None
    """The HTTP status of the last answer; None when nothing answered."""
    body: str = ""
    """The beginning of the last answer's body."""
    problem: str = ""
    """What was wrong with the last answer or why there was none; empty when ``ok``."""
    ok: bool
    seconds: float
    """From the prober's start to the last answer."""

    def dump(self) -> dict[str, Any]:
        """As JSON-compatible data, for XCom."""
        return self.model_dump(mode="json", by_alias=True)


def read(message: str) -> Verdict | None:
    """The prober's termination message; None when it is not one.

    What the service answered is made printable here.
    """
    try:
        found = Verdict.model_validate(json.loads(message), strict=False)
    except (ValueError, ValidationError, RecursionError):
        return None
    body, problem = printable.excerpt(found.body), printable.excerpt(found.problem)
    return found.model_copy(update={"body": body, "problem": problem})


def check(data: Any, *, digest: str, run_id: str) -> Verdict:
    """Demand a good verdict on exactly this image by exactly this run.

    A task that is green is no proof: it may have been marked so by hand, or its pod killed.

    :raises StateError: when there is none, or it is about another image or of another run.
    :raises SmokeTestFailed: when it is not a good one.
    """
    if not data:
        raise NothingHandedOver("verdict", "smoke_test")
    verdict = Verdict.model_validate(data, strict=False)
    if verdict.digest != digest or verdict.run_id != run_id:
        raise StateError(
            f"The verdict is about {verdict.digest} in run {verdict.run_id}, not about {digest} "
            f"in run {run_id}, so nothing was applied; clear smoke_test and run it again."
        )
    if not verdict.ok:
        raise SmokeTestFailed(f"The smoke test had failed: {verdict.problem}.")
    return verdict
