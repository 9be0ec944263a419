"""The verdict of a smoke test, bound to one image digest and one run."""

from __future__ import annotations

import json
from typing import Any

from pydantic import ConfigDict, ValidationError

from manifest_engine.domain.core import printable
from manifest_engine.domain.core.errors import NothingHandedOver, SmokeTestFailed, StateError
from manifest_engine.domain.core.model import Model


class Verdict(Model):
    """The prober's request to the new image, and the answer."""

    model_config = ConfigDict(validate_by_name=True)

    digest: str
    run_id: str
    asked: str
    """The requested path."""
    status: int | None = None
    """The HTTP status of the last answer; None when nothing answered."""
    body: str = ""
    """The beginning of the last answer's body."""
    problem: str = ""
    """What was wrong with the last answer, or why there was no answer; empty when ``ok``."""
    ok: bool
    seconds: float
    """Time from the prober's start to the last answer."""

    def dump(self) -> dict[str, Any]:
        """As JSON-compatible data, for XCom."""
        return self.model_dump(mode="json", by_alias=True)


def read(message: str) -> Verdict | None:
    """Parse the prober's termination message; None when the message is no verdict.

    The service's answer is made printable here.
    """
    try:
        found = Verdict.model_validate(json.loads(message), strict=False)
    except (ValueError, ValidationError, RecursionError):
        return None
    body, problem = printable.excerpt(found.body), printable.excerpt(found.problem)
    return found.model_copy(update={"body": body, "problem": problem})


def check(data: Any, *, digest: str, run_id: str) -> Verdict:
    """Demand a good verdict on this image by this run.

    A successful task is no proof: somebody may have marked the task as successful.

    :raises StateError: when the verdict is missing, or is about another image or run.
    :raises SmokeTestFailed: when the verdict is bad.
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
