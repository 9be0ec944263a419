"""The sender continues after a crash, and sends each receiver all events in order."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from manifest_engine.domain.core.errors import ConfigurationError, EventError
from manifest_engine.domain.events.facts import RunFacts
from manifest_engine.operators.events import runs, send_events
from manifest_engine.operators.events.runs import RUNS
from manifest_engine.operators.events.send_events import SendEvents
from manifest_engine.services.events import channels

from tests.unit.domain.events.runs import facts

NOW = datetime.now(UTC)


class Channel(channels.Channel):
    """Notes the runs that it was told of."""

    def __init__(self, name: str, environment: str = "dev") -> None:
        super().__init__(environment, name, name)
        self.told: list[str] = []
        self.error: Exception | None = None
        self.killed_after = 99

    def tell(self, run: RunFacts, since: datetime | None, log: logging.Logger) -> int:
        if self.error:
            raise self.error
        self.told.append(run.run.run_id + (" waits" if since else ""))
        if len(self.told) == self.killed_after:
            raise KeyboardInterrupt
        return 1


class Once(Channel):
    at_most_once = True


@dataclass
class Airflow:
    """What Airflow keeps: recorded runs, and the progress of each receiver."""

    store: dict[str, str] = field(default_factory=dict)
    events: list[Any] = field(default_factory=list)
    runs: dict[str, RunFacts | None] = field(default_factory=dict)

    def end(self, run_id: str, *, ago: float = 60, waits: bool = False, **given: Any) -> None:
        extra = {"dag": "deploy_service", "run": run_id} | ({"waits": True} if waits else {})
        at = datetime.now(UTC) - timedelta(seconds=ago)
        number = len(self.events) + 1
        self.events.append(SimpleNamespace(id=number, timestamp=at, extra=extra))
        self.runs[run_id] = facts(run_id=run_id, **given)

    def context(self) -> Any:
        store = SimpleNamespace(
            get=lambda key: json.loads(self.store[key]) if key in self.store else None,
            set=lambda key, value: self.store.update({key: json.dumps(value)}),
        )
        triggering = {RUNS: self.events[:1]}
        return {
            "asset_state_store": {RUNS: store},
            "inlet_events": {RUNS: Inlet(self.events)},
            "triggering_asset_events": triggering,
        }


class Inlet:
    """Airflow's accessor: since a time, in order, at most so many."""

    def __init__(self, events: list[Any]) -> None:
        self.events = sorted(events, key=lambda event: event.timestamp)

    def after(self, since: str) -> Any:
        begin = datetime.fromisoformat(since)
        self.found = [event for event in self.events if event.timestamp >= begin]
        return self

    def ascending(self) -> Any:
        return self

    def limit(self, most: int) -> Any:
        return self.found[:most]


@pytest.fixture
def airflow(monkeypatch: pytest.MonkeyPatch) -> Airflow:
    made = Airflow()
    monkeypatch.setattr(runs, "read", lambda dag, run, message: made.runs[run])
    return made


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Any:
    def use(*made: Channel) -> None:
        monkeypatch.setattr(channels, "of", lambda _: made)

    return use


def send(airflow: Airflow) -> int:
    return SendEvents(task_id="send_events").run(airflow.context())["sent"]


def test_each_run_is_told_once_and_in_order(airflow, told):
    portal = Channel("portal")
    told(portal)
    airflow.end("a", ago=50)
    airflow.end("b", ago=40, waits=True)
    assert send(airflow) == 2
    airflow.end("c", ago=30)
    assert send(airflow) == 1
    assert send(airflow) == 0
    assert portal.told == ["a", "b waits", "c"]


def test_an_event_that_becomes_visible_late_is_sent(airflow, told):
    portal = Channel("portal")
    told(portal)
    airflow.end("first", ago=30)
    send(airflow)
    airflow.end("a", ago=20)
    send(airflow)
    airflow.end("late", ago=25)
    send(airflow)
    assert portal.told == ["first", "a", "late"]


def test_a_receiver_that_is_away_delays_no_other(airflow, told):
    away, portal = Channel("away"), Channel("portal")
    told(away, portal)
    away.error = EventError("away did not accept the event: HTTP 503.")
    airflow.end("a")
    with pytest.raises(EventError, match=r"HTTP 503.*kept for 24 hours"):
        send(airflow)
    airflow.end("b", ago=30)
    with pytest.raises(EventError):
        send(airflow)
    assert portal.told == ["a", "b"]
    away.error = None
    send(airflow)
    assert away.told == ["a", "b"]


def test_a_wrong_connection_is_a_retryable_error(airflow, told):
    portal = Channel("portal")
    told(portal)
    portal.error = ConfigurationError("The Connection is no good.")
    airflow.end("a")
    with pytest.raises(EventError) as raised:
        send(airflow)
    assert raised.value.retryable


@pytest.mark.parametrize(("kind", "sent"), [(Channel, "abbc"), (Once, "abc")])
def test_a_killed_sender_sends_the_last_event_again_but_no_metric(airflow, told, kind, sent):
    receiver = kind("receiver")
    receiver.killed_after = 2
    told(receiver)
    for number, run in enumerate("abc"):
        airflow.end(run, ago=50 - number)
    with pytest.raises(KeyboardInterrupt):
        send(airflow)
    send(airflow)
    assert receiver.told == list(sent)


def test_a_receiver_gets_no_events_of_another_environment(airflow, told):
    prod = Channel("portal", "prod")
    told(prod)
    airflow.end("a")
    assert send(airflow) == 0


def test_the_sender_waits_until_airflow_has_recorded_the_end_of_a_run(airflow, told):
    portal = Channel("portal")
    told(portal)
    airflow.end("a", ago=1, state="running", ended=None)
    with pytest.raises(EventError, match="has not recorded the end of a"):
        send(airflow)
    airflow.runs["a"] = facts(run_id="a")
    send(airflow)
    assert portal.told == ["a"]


def test_a_cleared_or_deleted_run_delays_no_event(airflow, told):
    portal = Channel("portal")
    told(portal)
    airflow.end("cleared", ago=200, state="running", ended=None)
    airflow.end("deleted", ago=100)
    airflow.runs["deleted"] = None
    airflow.end("c")
    send(airflow)
    assert portal.told == ["c"]


def test_events_older_than_a_day_are_dropped(airflow, told, capsys):
    portal = Channel("portal")
    told(portal)
    airflow.end("old", ago=25 * 3600)
    airflow.end("new")
    send(airflow)
    assert portal.told == ["new"]
    assert "The event of old was dropped" in capsys.readouterr().out


def test_many_runs_are_read_page_by_page(airflow, told, monkeypatch):
    monkeypatch.setattr(send_events, "_PAGE", 3)
    portal = Channel("portal")
    told(portal)
    for number in range(10):
        airflow.end(str(number), ago=60 - number)
    assert send(airflow) == 10
    assert portal.told == [str(number) for number in range(10)]


@pytest.mark.parametrize(
    "extra", [None, {}, {"dag": "other", "run": "x"}, {"dag": "deploy_service", "run": 7}]
)
def test_an_event_of_somebody_else_is_ignored(airflow, told, extra, monkeypatch):
    portal = Channel("portal")
    told(portal)
    monkeypatch.setattr(send_events, "_PAGE", 1)
    before, event = NOW - timedelta(seconds=1), SimpleNamespace(id=1, timestamp=NOW, extra=extra)
    airflow.events += [SimpleNamespace(id=2, timestamp=before, extra=extra), event]
    assert send(airflow) == 0
