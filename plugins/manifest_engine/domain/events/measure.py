"""The metrics of a run that has ended; ``docs/metrics.md`` defines them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from manifest_engine.domain.events.facts import RunFacts

PREFIX = "manifest_engine"
_PUBLIC = ("apply_deployment", "publish_route", "watch_release")
"""The steps during which users can reach a release that is rolled back later."""


@dataclass(frozen=True)
class Measure:
    """One metric: a counter to increase by one, or a duration."""

    name: str
    tags: Mapping[str, str]
    duration: timedelta | None = None


def of_run(facts: RunFacts) -> Iterator[Measure]:
    """The metrics of a run; none for a run that is not over, and for a dry run."""
    entry, state, run = facts.entry, facts.state, facts.run
    if state == "planned" or run.ended_at is None:
        return
    where = {"environment": str(entry["environment"] or "unknown")}
    action = {"action": str(entry["action"])}
    yield Measure(f"{PREFIX}.deployments", where | action | {"state": state.replace(" ", "_")})
    if run.state == "failed":
        step = facts.failed_task or "run"
        cause = str(facts.xcoms.get((step, "cause")) or state.replace(" ", "_"))
        yield Measure(f"{PREFIX}.failures", where | {"step": step, "cause": cause})
    for step, seconds in facts.seconds.items():
        duration = timedelta(seconds=seconds)
        yield Measure(f"{PREFIX}.step_duration", where | {"step": step}, duration)
    yield from _dora(facts, where, run.ended_at)


def _dora(facts: RunFacts, where: dict[str, str], ended: datetime) -> Iterator[Measure]:
    """Metrics of DORA, besides the number of deployments."""
    asked = facts.run.requested_at
    if facts.state == "rolled back":
        yield Measure(f"{PREFIX}.change_failures", where)
        public = sum(facts.seconds.get(step, 0.0) for step in _PUBLIC)
        yield Measure(f"{PREFIX}.restore_time", where, timedelta(seconds=public))
    if facts.state != "live" or asked is None:
        return
    if facts.run.dag_id == "rollback_service":
        yield Measure(f"{PREFIX}.change_failures", where)
        yield Measure(f"{PREFIX}.restore_time", where, ended - asked)
    elif facts.run.dag_id == "deploy_service":
        yield Measure(f"{PREFIX}.lead_time", where, ended - asked)
