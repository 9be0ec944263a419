"""Sends an event to a webhook, with a signature.

Source: Standard Webhooks (https://github.com/standard-webhooks/standard-webhooks,
spec/standard-webhooks.md).
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
"""Time limits: for the connection, and between two bytes of the answer."""
_DEADLINE_SECONDS = 6
"""Time limit for all attempts, so that a dead receiver does not delay other receivers for long."""
_REFUSED = frozenset({400, 413, 415, 422})
"""HTTP statuses with which a receiver rejects an event, so that a retry cannot help."""


class Refused(EventError):
    """The receiver rejects this event."""


class SinkHook:
    """Sends events to one webhook.

    :param url: address for the ``POST`` requests; redirects are not followed.
    :param conn_id: Connection whose password is the secret: ``whsec_`` and base64.
    """

    def __init__(self, url: str, conn_id: str) -> None:
        self._url = url
        self._conn_id = conn_id

    def send(self, message_id: str, body: bytes) -> None:
        """Send an event.

        :param message_id: id of the event, the same for each attempt.
        :raises Refused: when the receiver rejects the event.
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
                    stream=True,  # do not read the body of the answer
                ) as answer:
                    return answer

            try:
                answer = retrying.send_with_retries(once, deadline_seconds=_DEADLINE_SECONDS)
            except retrying.NoAnswerInTime as error:
                raise EventError(f"{self._shown} did not accept the event: {error}.") from error
            except requests.RequestException as error:
                reason = printable.excerpt(str(innermost(error)))
                raise EventError(f"{self._shown} did not accept the event: {reason}.") from error
        if answer.status_code in _REFUSED:
            raise Refused(
                f"{self._shown} rejected the event {message_id} with {answer.status_code}, so the "
                "event is not sent again; see the receiver's log."
            )
        if not answer.ok or answer.is_redirect:
            raise EventError(
                f"{self._shown} answered {answer.status_code} instead of 2xx; check the URL, the "
                f"secret of the Connection {self._conn_id!r} and the receiver's log."
            )

    @property
    def _shown(self) -> str:
        """The URL without its query, which can contain a token."""
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
                f"The password of the Connection {conn_id!r} is not a signing secret; set it to "
                "whsec_ and 24 to 64 random bytes in base64."
            ) from None

    def sign(self, message_id: str, at: datetime, body: str) -> str:
        """The header ``webhook-signature``."""
        return self._webhook.sign(msg_id=message_id, timestamp=at, data=body)
