"""The verdict of a smoke test, bound to one image digest and one run."""

from __future__ import annotations

from typing import Any

from pydantic import ConfigDict

from manifest_engine.domain.core.errors import NothingHandedOver, SmokeTestFailed, StateError
from manifest_engine.domain.core.model import Model
from manifest_engine.domain.smoke import answer as answers


class Verdict(Model):
    """The request to the new image, and the answer."""

    model_config = ConfigDict(validate_by_name=True)

    digest: str
    run_id: str
    asked: str
    """The requested path; ``tcp check`` and the like when only the kubelet checks the service."""
    status: int | None = None
    """The HTTP status of the last answer; None when nothing answered, or nothing was requested."""
    body: str = ""
    """The beginning of the last answer's body."""
    problem: str = ""
    """What was wrong with the last answer, or why there was no answer; empty when ``ok``."""
    ok: bool
    seconds: float
    """Time from the start of the container to the last answer."""

    @property
    def request(self) -> str:
        """What was done, to begin a sentence."""
        return answers.asking(self.asked)


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
