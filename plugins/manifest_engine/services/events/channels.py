"""The receivers of an environment: webhooks, chats and Airflow's metrics."""

from __future__ import annotations

import hashlib
import importlib
import json
import logging
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from manifest_engine.domain.core import printable
from manifest_engine.domain.core.errors import ConfigurationError, EventError
from manifest_engine.domain.events import event as events
from manifest_engine.domain.events import measure, message
from manifest_engine.hooks.webhook.sink import Refused, SinkHook

if TYPE_CHECKING:
    from manifest_engine.domain.environment.environment import Environment
    from manifest_engine.domain.environment.tell import Notify, Sink
    from manifest_engine.domain.events.facts import RunFacts


class Channel(ABC):
    """A receiver of one environment.

    :param environment: name of the environment.
    :param name: name of the receiver in logs and errors.
    :param identity: value that is different for each receiver of the environment.
    """

    at_most_once = False
    """Whether the progress is recorded before the message is sent."""

    def __init__(self, environment: str, name: str, identity: Any) -> None:
        self.environment = environment
        self.name = f"{name} of {environment}"
        text = json.dumps([environment, type(self).__name__, identity], sort_keys=True)
        self.key = f"told-{hashlib.sha256(text.encode()).hexdigest()[:16]}"
        """Key of the receiver's progress."""

    @abstractmethod
    def tell(self, facts: RunFacts, waits_since: datetime | None, log: logging.Logger) -> int:
        """Report the end of a run, or the start of its wait for approval.

        :param waits_since: when the wait began; None at the end of the run.
        :return: number of messages that were sent.
        :raises EventError: when the receiver could not be reached.
        :raises ConfigurationError: when a Connection or a notifier is wrong.
        """


class Webhook(Channel):
    """A webhook that receives events."""

    def __init__(self, environment: str, sink: Sink) -> None:
        super().__init__(environment, sink.url.partition("?")[0], sink.url)
        self._sink = sink

    def tell(self, facts: RunFacts, waits_since: datetime | None, log: logging.Logger) -> int:
        made = events.of_wait(facts, waits_since) if waits_since else None
        sent = 0
        for event in [made] if made else events.of_end(facts):
            if event.kind not in self._sink.types:
                continue
            try:
                SinkHook(self._sink.url, self._sink.connection).send(event.id, body(event))
            except Refused as error:
                log.error("%s", error)
            else:
                log.info("%s %s was sent to %s", event.kind, event.id, self.name)
                sent += 1
        return sent


class Chat(Channel):
    """A chat that receives messages through an Airflow notifier."""

    def __init__(self, environment: str, settings: Notify) -> None:
        identity = [settings.notifier, settings.arguments]
        super().__init__(environment, f"the notifier {settings.notifier}", identity)
        self._settings = settings

    def tell(self, facts: RunFacts, waits_since: datetime | None, log: logging.Logger) -> int:
        about = message.occasion(facts, waits=waits_since is not None)
        if about is None or about not in self._settings.when:
            return 0
        notifier = self._notifier(message.text(facts, about))
        try:
            # Calling the notifier itself would render the text as a Jinja template.
            notifier.notify({})
        except Exception as error:
            reason = printable.excerpt(f"{type(error).__name__}: {error}")
            raise EventError(f"{self.name} did not send the message: {reason}") from error
        log.info("A message was sent to %s: %s", self.name, about)
        return 1

    def _notifier(self, text: str) -> Any:
        from airflow.sdk import BaseNotifier

        module, _, name = self._settings.notifier.rpartition(".")
        try:
            found = getattr(importlib.import_module(module), name)
        except (ImportError, AttributeError) as error:
            raise ConfigurationError(
                f"The notifier {self._settings.notifier} in environments.yaml cannot be imported "
                f"({error}); install its provider on the workers."
            ) from error
        if not (isinstance(found, type) and issubclass(found, BaseNotifier)):
            raise ConfigurationError(
                f"{self._settings.notifier} in environments.yaml is not an Airflow notifier; name "
                "a class that derives from BaseNotifier."
            )
        try:
            return found(**self._settings.arguments, **{self._settings.text_argument: text})
        except TypeError as error:
            raise ConfigurationError(
                f"{self._settings.notifier} refuses its arguments in environments.yaml: {error}; "
                "check arguments and textArgument."
            ) from error


class Metrics(Channel):
    """Airflow's metrics: StatsD or OpenTelemetry, as configured in Airflow."""

    at_most_once = True

    def __init__(self, environment: str) -> None:
        super().__init__(environment, "the metrics", "")

    def tell(self, facts: RunFacts, waits_since: datetime | None, log: logging.Logger) -> int:
        if waits_since:
            return 0
        from airflow.sdk.observability import stats

        named = _in_names()
        sent = 0
        for item in measure.of_run(facts):
            name = ".".join([item.name, *item.tags.values()]) if named else item.name
            name = stats.normalize_name_for_stats(name, log_warning=False)
            if item.duration is None:
                stats.incr(name, tags=dict(item.tags))
            else:
                stats.timing(name, item.duration, tags=dict(item.tags))
            sent += 1
        _flush()
        return sent


def of(environments: Mapping[str, Environment]) -> Iterable[Channel]:
    """The receivers of all environments."""
    for name, environment in environments.items():
        if environment.metrics:
            yield Metrics(name)
        for sink in environment.events:
            yield Webhook(name, sink)
        for settings in environment.notify:
            yield Chat(name, settings)


def body(event: events.Event) -> bytes:
    """The event in CloudEvents' structured mode, in which the signature covers all attributes."""
    from cloudevents.core.bindings.http import to_structured_event
    from cloudevents.core.v1.event import CloudEvent

    attributes = {
        "id": event.id,
        "source": event.source,
        "type": event.type,
        "specversion": "1.0",
        "time": event.time,
        "subject": event.subject,
        "datacontenttype": "application/json",
    }
    return to_structured_event(CloudEvent(attributes, event.data)).body


def _flush() -> None:
    """Send buffered metrics of OpenTelemetry: the process of a task ends without exit handlers."""
    from airflow.sdk.configuration import conf

    if conf.getboolean("metrics", "otel_on", fallback=False):
        from opentelemetry import metrics

        flush = getattr(metrics.get_meter_provider(), "force_flush", None)
        if flush:
            flush()


def _in_names() -> bool:
    """Whether tags must be part of the metrics' names, because plain StatsD has no tags."""
    from airflow.sdk.configuration import conf

    def on(key: str) -> bool:
        return bool(conf.getboolean("metrics", key, fallback=False))

    tagged = on("statsd_influxdb_enabled") or on("statsd_datadog_enabled") or on("otel_on")
    return on("statsd_on") and not tagged
