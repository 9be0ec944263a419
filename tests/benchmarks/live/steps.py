"""The parts of a deployment's time."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Step:
    """One step; begin and end in seconds since 1970."""

    name: str
    begin: float
    end: float

    @property
    def seconds(self) -> float:
        return self.end - self.begin


@dataclass
class Deployment:
    """One deployment, which begins with the click."""

    clicked: float
    steps: list[Step] = field(default_factory=list)

    @property
    def live_seconds(self) -> float:
        """Seconds until the public URL answers."""
        return next(step.end for step in self.steps if step.name == "publish_route") - self.clicked

    @property
    def recorded_seconds(self) -> float:
        """Seconds until ``record_release`` is done, the last step that a person waits for."""
        return self.steps[-1].end - self.clicked

    def own(self) -> dict[str, float]:
        """Seconds of each step."""
        return {step.name: step.seconds for step in self.steps}

    def waits(self) -> dict[str, float]:
        """Seconds between the end of the previous step and the begin of each step."""
        found, before = {}, self.clicked
        for step in self.steps:
            found[step.name] = step.begin - before
            before = step.end
        return found
