"""Step ``send_events``: sends events, chat messages and metrics, in order for each receiver."""

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
"""Events that could not be sent for this time are dropped."""
UNFINISHED = timedelta(minutes=2)
"""How long to wait for the end of a run, which Airflow records after the listener. A run that is
still not over was cleared, and its next end will be reported."""
_PAGE = 200


@dataclass(frozen=True)
class _Occurrence:
    """The end of a run, or the start of its wait for approval."""

    id: int
    timestamp: datetime
    dag_id: str
    run_id: str
    waits: bool
    message: str


class SendEvents(StepOperator):
    """Send to each receiver what was not sent yet.

    Airflow stores the progress of each receiver in the state of the asset ``datafactory-runs``, so
    the next try continues after a failure. A receiver that does not answer does not delay the other
    receivers.

    XCom: ``sent``, the number of messages.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(inlets=[RUNS], **kwargs)
        self._facts: dict[tuple[str, str, bool], RunFacts | None] = {}

    def run(self, context: Context) -> dict[str, Any]:
        """
        :raises EventError: when a receiver did not get everything; a retry continues.
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
            # EventError is also retried after a wrong Connection, which somebody may correct.
            raise EventError(f"{text} Unsent events are kept for 24 hours and sent again.")
        return {"sent": sent}

    def _tell(self, context: Context, channel: Channel) -> int:
        store: Any = context["asset_state_store"][RUNS]
        stored = store.get(channel.key)
        if stored is None:
            progress = progresses.start(_first(context))
            store.set(channel.key, progress.dump())
        else:
            progress = progresses.load(stored)
        sent = 0
        for item in self._pending(context, progress):
            if item.timestamp < datetime.now(UTC) - KEPT:
                self.log.error(
                    "The event of %s was dropped, because %s could not be reached for 24 hours",
                    item.run_id,
                    channel.name,
                )
            elif facts := self._read(item):
                if not item.waits and not facts.has_ended:
                    if item.timestamp > datetime.now(UTC) - UNFINISHED:
                        raise EventError(f"Airflow has not recorded the end of {item.run_id} yet.")
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
        """The events that were not sent to the receiver, the oldest first."""
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
        """Airflow's record of a run, read once for all receivers."""
        key = (item.dag_id, item.run_id, item.waits)
        if key not in self._facts:
            if len(self._facts) >= _PAGE:
                self._facts.clear()
            self._facts[key] = runs.read(item.dag_id, item.run_id, item.message)
        return self._facts[key]


def _occurrence(event: Any) -> _Occurrence | None:
    """Read an asset event; None for a foreign event, such as one that a user has created."""
    extra = event.extra or {}
    dag_id, run_id = extra.get("dag"), extra.get("run")
    if dag_id not in run_facts.DAGS or not isinstance(run_id, str):
        return None
    waits = extra.get("waits") is True
    message = str(extra.get("message") or "")
    return _Occurrence(event.id, event.timestamp, dag_id, run_id, waits, message)


def _first(context: Context) -> datetime:
    """Time of the event that started this run, from which a new receiver gets events."""
    triggering: Any = context["triggering_asset_events"]
    times = [event.timestamp for found in triggering.values() for event in found]
    return min(times, default=datetime.now(UTC))
