"""What a deployment's time is made of."""

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
    """One deployment, from the click on."""

    clicked: float
    steps: list[Step] = field(default_factory=list)

    @property
    def live_seconds(self) -> float:
        """Until the public URL has answered."""
        return next(step.end for step in self.steps if step.name == "publish_route") - self.clicked

    @property
    def recorded_seconds(self) -> float:
        """Until everything that a person waits for is done."""
        return self.steps[-1].end - self.clicked

    def own(self) -> dict[str, float]:
        """Seconds of each step."""
        return {step.name: step.seconds for step in self.steps}

    def waits(self) -> dict[str, float]:
        """Seconds between a step's begin and the end of what came before it."""
        found, before = {}, self.clicked
        for step in self.steps:
            found[step.name] = step.begin - before
            before = step.end
        return found
