"""Sends an event to a webhook, signed as Standard Webhooks say.

Source: https://github.com/standard-webhooks/standard-webhooks, spec/standard-webhooks.md.
"""

from __future__ import annotations

import binascii
from datetime import UTC, datetime

import requests

from manifest_engine.domain.core import printable
from manifest_engine.domain.core.errors import ConfigurationError, EventError
from manifest_engine.hooks.core import connections, http_answers, retrying
from manifest_engine.hooks.core.causes import innermost

CONTENT_TYPE = "application/cloudevents+json"
_SECONDS = (5, 15)
"""For the connection, and between two bytes of the answer."""
_DEADLINE_SECONDS = 6
"""For all attempts of one try of the task: a dead receiver must not delay the others for long."""
_REFUSED = frozenset({400, 413, 415, 422})
"""The receiver has read the event and does not want it; a later attempt cannot help."""


class Refused(EventError):
    """The receiver does not want this event."""


class SinkHook:
    """A receiver.

    :param url: where events are posted to; redirects are not followed.
    :param conn_id: Connection whose password is the secret, ``whsec_`` and base64.
    """

    def __init__(self, url: str, conn_id: str) -> None:
        self._url = url
        self._conn_id = conn_id

    def send(self, message_id: str, body: bytes) -> None:
        """Post an event.

        :param message_id: the same for each attempt of the same event.
        :raises Refused: when the receiver does not want the event.
        :raises EventError: when the event did not arrive; a later attempt may help.
        :raises ConfigurationError: when the Connection has no usable secret.
        """
        secret = self._secret()
        with requests.Session() as session:
            session.auth = http_answers.Anonymous()

            def once() -> requests.Response:
                now = datetime.now(UTC)
                headers = {
                    "Content-Type": f"{CONTENT_TYPE}; charset=utf-8",
                    "User-Agent": "manifest-engine",
                    "webhook-id": message_id,
                    "webhook-timestamp": str(int(now.timestamp())),
                    "webhook-signature": secret.sign(message_id, now, body.decode()),
                }
                with session.post(
                    self._url,
                    data=body,
                    headers=headers,
                    timeout=_SECONDS,
                    allow_redirects=False,
                    stream=True,  # the body of the answer is not read
                ) as answer:
                    return answer

            try:
                answer = retrying.send_with_retries(once, deadline_seconds=_DEADLINE_SECONDS)
            except retrying.NoAnswerInTime as error:
                raise EventError(f"{self._shown} does not take events: {error}.") from error
            except requests.RequestException as error:
                reason = printable.excerpt(str(innermost(error)))
                raise EventError(f"{self._shown} does not take events: {reason}.") from error
        if answer.status_code in _REFUSED:
            raise Refused(
                f"{self._shown} answered {answer.status_code} to the event {message_id}, which is "
                "not sent again; see the receiver's log."
            )
        if not answer.ok or answer.is_redirect:
            raise EventError(
                f"{self._shown} answered {answer.status_code} instead of 2xx; check the URL, the "
                f"secret of the Connection {self._conn_id!r} and the receiver's log."
            )

    @property
    def _shown(self) -> str:
        """The URL without its query, which can hold a token."""
        return self._url.partition("?")[0]

    def _secret(self) -> _Secret:
        from airflow.sdk import BaseHook

        with connections.required(self._conn_id, "generic"):
            password = BaseHook.get_connection(self._conn_id).password
        return _Secret(password or "", self._conn_id)


class _Secret:
    def __init__(self, text: str, conn_id: str) -> None:
        from standardwebhooks.webhooks import EmptyWebhookSecretError, Webhook

        try:
            self._webhook = Webhook(text)
        except (EmptyWebhookSecretError, binascii.Error, ValueError):
            raise ConfigurationError(
                f"The password of the Connection {conn_id!r} is no signing secret; set it to "
                "whsec_ and 24 to 64 random bytes in base64."
            ) from None

    def sign(self, message_id: str, at: datetime, body: str) -> str:
        """The header ``webhook-signature``."""
        return self._webhook.sign(msg_id=message_id, timestamp=at, data=body)
