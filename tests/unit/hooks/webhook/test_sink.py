"""A webhook gets signed events, and its answer decides whether an event is sent again."""

from __future__ import annotations

import base64
import socket
from types import SimpleNamespace
from typing import Any

import pytest
from manifest_engine.domain.core.errors import ConfigurationError, EventError
from manifest_engine.domain.events import event as events
from manifest_engine.hooks.webhook import sink
from manifest_engine.hooks.webhook.sink import Refused, SinkHook
from manifest_engine.services.events import channels

from sandbox.services.webhook.receiver import Receiver, running
from tests.unit.domain.events.runs import facts

SECRET = "whsec_" + base64.b64encode(b"0123456789abcdef01234567").decode()
EVENT = events.of_end(facts())[-1]
BODY = channels.body(EVENT)


@pytest.fixture(autouse=True)
def password(monkeypatch: pytest.MonkeyPatch) -> Any:
    from airflow.sdk import BaseHook

    connection = SimpleNamespace(password=SECRET)
    monkeypatch.setattr(BaseHook, "get_connection", lambda _: connection)
    return connection


@pytest.fixture
def receiver():
    with running(Receiver(SECRET)) as made:
        yield made


def send(receiver: Receiver) -> None:
    SinkHook(receiver.url, "portal_events").send(EVENT.id, BODY)


def test_the_receiver_verifies_the_event(receiver):
    send(receiver)
    assert receiver.refused == []
    assert receiver.accepted == [EVENT.data]
    assert receiver.headers["content-type"].startswith("application/cloudevents+json")
    assert receiver.headers["webhook-id"] == EVENT.id


def test_a_signature_with_another_secret_is_refused(receiver, password):
    password.password = "whsec_" + base64.b64encode(b"somebody else's secret..").decode()
    with pytest.raises(EventError, match=r"answered 401.*'portal_events'"):
        send(receiver)
    assert receiver.refused == ["No matching signature found"]


@pytest.mark.parametrize("text", [None, "", "whsec_", "not base64 ü"])
def test_a_connection_without_a_secret_is_refused(receiver, password, text):
    password.password = text
    with pytest.raises(ConfigurationError, match="is not a signing secret"):
        send(receiver)


def test_the_sender_waits_for_a_short_outage(receiver):
    receiver.answers = [503, 502]
    send(receiver)
    assert receiver.accepted == [EVENT.data]


def test_a_longer_outage_is_a_retryable_error(receiver, monkeypatch):
    monkeypatch.setattr(sink, "_DEADLINE_SECONDS", 0.2)
    receiver.answers = [503] * 20
    with pytest.raises(EventError, match="did not accept the event: HTTP 503") as raised:
        send(receiver)
    assert raised.value.retryable


@pytest.mark.parametrize("status", [400, 413, 415, 422])
def test_a_refused_event_is_not_sent_again(receiver, status):
    receiver.answers = [status]
    with pytest.raises(Refused, match="not sent again"):
        send(receiver)


@pytest.mark.parametrize("status", [301, 302, 307, 401, 404, 410])
def test_a_redirect_is_not_followed_and_other_answers_are_retried_later(receiver, status):
    receiver.answers = [status]
    with pytest.raises(EventError, match=f"answered {status} instead of 2xx"):
        send(receiver)
    assert receiver.accepted == []


def test_a_receiver_that_does_not_listen_is_a_retryable_error(monkeypatch):
    monkeypatch.setattr(sink, "_DEADLINE_SECONDS", 0.2)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        with pytest.raises(EventError, match="did not accept the event"):
            SinkHook(f"http://127.0.0.1:{port}/?token=abc", "c").send(EVENT.id, BODY)


def test_a_token_in_the_url_is_not_in_the_error(receiver):
    receiver.answers = [404]
    with pytest.raises(EventError) as raised:
        SinkHook(f"{receiver.url}?token=abc", "c").send(EVENT.id, BODY)
    assert "abc" not in str(raised.value)
