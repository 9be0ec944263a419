"""Messages to a chat by one of Airflow's notifiers, and metrics by Airflow's StatsD."""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from airflow.providers.apprise.notifications import apprise
from airflow.sdk import BaseNotifier
from manifest_engine.domain.core.errors import ConfigurationError, EventError
from manifest_engine.domain.environment import environments
from manifest_engine.domain.environment.tell import Notify
from manifest_engine.services.events import channels

from tests.unit.domain.events.runs import END, URL, facts, failed

LOG = logging.getLogger("send_events")
SENT: list[tuple[str, str]] = []


class Notifier(BaseNotifier):
    """Keeps the messages. Airflow would render the template field."""

    template_fields = ("message",)

    def __init__(self, *, message: str, room: str = "", fails: bool = False) -> None:
        super().__init__()
        self.message, self.room, self.fails = message, room, fails

    def notify(self, context: Any) -> None:
        if self.fails:
            raise OSError("The chat is away.")
        SENT.append((self.room, self.message))


def chat(**changes: Any) -> channels.Chat:
    settings = {
        "notifier": f"{__name__}.Notifier",
        "arguments": {"room": "deployments"},
        "text_argument": "message",
    }
    return channels.Chat("dev", Notify.model_validate(settings | changes, by_name=True))


@pytest.fixture(autouse=True)
def nothing_sent() -> None:
    SENT.clear()


def test_the_chat_reads_our_sentence():
    assert chat().tell(facts(), None, LOG) == 1
    assert chat().tell(failed(), None, LOG) == 1
    assert chat().tell(facts("running", ended=None), END, LOG) == 1
    assert [room for room, _ in SENT] == ["deployments"] * 3
    assert URL in SENT[0][1]
    assert "answered 500" in SENT[1][1]
    assert "waits for approval" in SENT[2][1]


def test_only_what_was_asked_for():
    assert chat(when=("failed",)).tell(facts(), None, LOG) == 0
    assert SENT == []


def test_an_error_of_a_service_is_no_template():
    run = failed()
    run.xcoms["smoke_test", "error"] = "{{ conn.acr_default.password }}"  # type: ignore[index]
    chat().tell(run, None, LOG)
    assert "{{ conn.acr_default.password }}" in SENT[0][1]


def test_a_chat_that_is_away_is_tried_again():
    with pytest.raises(EventError, match="OSError: The chat is away"):
        chat(arguments={"fails": True}).tell(facts(), None, LOG)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"notifier": "nowhere.Notifier"}, "cannot be imported"),
        ({"notifier": f"{__name__}.Missing"}, "cannot be imported"),
        ({"notifier": "os.system"}, "is not an Airflow notifier"),
        ({"arguments": {"colour": "red"}}, "refuses its arguments"),
    ],
)
def test_a_wrong_notifier(changes, said):
    with pytest.raises(ConfigurationError, match=said):
        chat(**changes).tell(facts(), None, LOG)


def test_the_apprise_notifier_takes_our_text(monkeypatch):
    told: list[dict[str, Any]] = []

    class Hook:
        def __init__(self, apprise_conn_id: str) -> None:
            assert apprise_conn_id == "team_chat"

        def notify(self, **given: Any) -> None:
            told.append(given)

    monkeypatch.setattr(apprise, "AppriseHook", Hook)
    settings = Notify(
        notifier="airflow.providers.apprise.notifications.apprise.AppriseNotifier",
        arguments={"apprise_conn_id": "team_chat"},
    )
    assert channels.Chat("dev", settings).tell(facts(), None, LOG) == 1
    assert URL in told[0]["body"]


@pytest.fixture
def statsd(monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    from airflow.sdk.observability import stats
    from airflow.sdk.observability.metrics import stats_utils

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(5)
        for key, value in {
            "STATSD_ON": "True",
            "STATSD_HOST": "127.0.0.1",
            "STATSD_PORT": str(server.getsockname()[1]),
        }.items():
            monkeypatch.setenv(f"AIRFLOW__METRICS__{key}", value)
        stats.initialize(factory=stats_utils.get_stats_factory(), export_legacy_names=False)
        yield server
        stats.initialize(factory=lambda: None, export_legacy_names=False)


def received(server: socket.socket, count: int) -> set[str]:
    return {server.recv(2000).decode() for _ in range(count)}


def test_plain_statsd_gets_the_tags_in_the_names(statsd):
    count = channels.Metrics("dev").tell(facts(), None, LOG)
    assert received(statsd, count) == {
        "airflow.manifest_engine.deployments.dev.deploy.live:1|c",
        "airflow.manifest_engine.step_duration.dev.build_image:12500.000000|ms",
        "airflow.manifest_engine.step_duration.dev.apply_deployment:3000.000000|ms",
        "airflow.manifest_engine.step_duration.dev.watch_release:10000.000000|ms",
        "airflow.manifest_engine.lead_time.dev:90000.000000|ms",
    }


def test_statsd_with_tags_gets_tags(statsd, monkeypatch):
    monkeypatch.setenv("AIRFLOW__METRICS__STATSD_INFLUXDB_ENABLED", "True")
    count = channels.Metrics("dev").tell(failed(), None, LOG)
    found = received(statsd, count)
    expected = "manifest_engine.failures,environment=dev,step=smoke_test,cause=SmokeTestFailed:1|c"
    assert f"airflow.{expected}" in found


def test_metrics_count_no_wait():
    assert channels.Metrics("dev").tell(facts("running", ended=None), END, LOG) == 0


def test_each_receiver_keeps_its_own_progress(tmp_path):
    content = yaml.safe_load((environments.INCLUDE / "environments.yaml").read_text())
    sink = {"url": "https://portal.example.com/hooks", "connection": "portal_events"}
    content["environments"]["dev"] |= {
        "metrics": True,
        "events": [sink, sink | {"url": "https://other.example.com/"}],
        "notify": [{"notifier": "a.B"}, {"notifier": "a.B", "arguments": {"room": "x"}}],
    }
    path = tmp_path / "environments.yaml"
    path.write_text(yaml.safe_dump(content))
    keys = [channel.key for channel in channels.of(environments.load(path))]
    assert len(set(keys)) == 5
    assert keys == [channel.key for channel in channels.of(environments.load(path))]
