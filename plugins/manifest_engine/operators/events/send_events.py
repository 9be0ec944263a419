"""Step ``send_events``: tells webhooks, chats and metrics about runs, each receiver in order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from manifest_engine.domain.core.errors import EventError, ManifestEngineError
from manifest_engine.domain.environment import environments
from manifest_engine.domain.events import facts as run_facts
from manifest_engine.domain.events import progress as progresses
from manifest_engine.operators.core.step import StepOperator
from manifest_engine.operators.events import runs
from manifest_engine.operators.events.runs import RUNS
from manifest_engine.services.events import channels

if TYPE_CHECKING:
    from airflow.sdk import Context

    from manifest_engine.domain.events.facts import RunFacts
    from manifest_engine.domain.events.progress import Progress
    from manifest_engine.services.events.channels import Channel

KEPT = timedelta(hours=24)
"""A receiver that was not reached for so long misses what is older."""
UNFINISHED = timedelta(minutes=2)
"""Airflow records the end of a run a moment after the listener does. A run that is not over after
this time was cleared and runs again; its next end is told."""
_PAGE = 200


@dataclass(frozen=True)
class _Occurrence:
    """The end of a run, or its wait for an approval."""

    id: int
    timestamp: datetime
    dag_id: str
    run_id: str
    waits: bool
    message: str


class SendEvents(StepOperator):
    """Tell each receiver what it was not told yet.

    Airflow keeps how far each receiver was told (the state of the asset ``datafactory-runs``), so a
    killed or failed try goes on where it stopped. A receiver that cannot be reached is tried again
    by the next try and delays no other receiver.

    XCom: ``sent``, the number of messages.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(inlets=[RUNS], **kwargs)
        self._facts: dict[tuple[str, str, bool], RunFacts | None] = {}

    def run(self, context: Context) -> dict[str, Any]:
        """
        :raises EventError: when a receiver was not reached; a retry tries it again.
        :raises ConfigurationError: when the Connection or the notifier of a receiver is wrong.
        """
        sent, problems = 0, list[ManifestEngineError]()
        for channel in channels.of(environments.load()):
            try:
                sent += self._tell(context, channel)
            except ManifestEngineError as error:
                self.log.error("%s", error)
                problems.append(error)
        if problems:
            text = " ".join(map(str, problems))
            # A retry also after a wrong Connection: somebody mends it, and the events are kept.
            raise EventError(f"{text} What was not sent is kept for 24 hours and sent again.")
        return {"sent": sent}

    def _tell(self, context: Context, channel: Channel) -> int:
        store: Any = context["asset_state_store"][RUNS]
        stored = store.get(channel.key)
        if stored is None:
            progress = progresses.Progress(_first(context))
            store.set(channel.key, progress.dump())
        else:
            progress = progresses.load(stored)
        sent = 0
        for item in self._pending(context, progress):
            if item.timestamp < datetime.now(UTC) - KEPT:
                self.log.error("%s was not told of %s in 24 hours", channel.name, item.run_id)
            elif facts := self._read(item):
                if not item.waits and not facts.has_ended:
                    if item.timestamp > datetime.now(UTC) - UNFINISHED:
                        raise EventError(f"The end of {item.run_id} is not recorded yet.")
                elif facts.entry["environment"] == channel.environment:
                    since = item.timestamp if item.waits else None
                    if channel.at_most_once:
                        progress.add(item)
                        store.set(channel.key, progress.dump())
                    sent += channel.tell(facts, since, self.log)
            progress.add(item)
            store.set(channel.key, progress.dump())
        return sent

    def _pending(self, context: Context, progress: Progress) -> Iterator[_Occurrence]:
        """What the receiver was not told, page by page, the oldest first."""
        since = progress.since
        while True:
            inlets: Any = context["inlet_events"]
            page = list(inlets[RUNS].after(since.isoformat()).ascending().limit(_PAGE))
            yield from progress.pending(
                item for event in page if (item := _occurrence(event)) is not None
            )
            if len(page) < _PAGE or page[-1].timestamp <= since:
                return
            since = page[-1].timestamp

    def _read(self, item: _Occurrence) -> RunFacts | None:
        """The facts of a run, read once for all receivers."""
        key = (item.dag_id, item.run_id, item.waits)
        if key not in self._facts:
            if len(self._facts) >= _PAGE:
                self._facts.clear()
            self._facts[key] = runs.read(item.dag_id, item.run_id, item.message)
        return self._facts[key]


def _occurrence(event: Any) -> _Occurrence | None:
    """A recorded event; None for one that is not ours, such as one made by hand."""
    extra = event.extra or {}
    dag_id, run_id = extra.get("dag"), extra.get("run")
    if dag_id not in run_facts.DAGS or not isinstance(run_id, str):
        return None
    waits = extra.get("waits") is True
    message = str(extra.get("message") or "")
    return _Occurrence(event.id, event.timestamp, dag_id, run_id, waits, message)


def _first(context: Context) -> datetime:
    """Where a new receiver begins: at what started this run."""
    triggering: Any = context["triggering_asset_events"]
    times = [event.timestamp for found in triggering.values() for event in found]
    return min(times, default=datetime.now(UTC))
