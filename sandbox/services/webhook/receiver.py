"""A webhook that verifies the signature and the CloudEvent of each request, as a portal would.

``python -m sandbox.services.webhook.receiver --port 9200 --secret whsec_… --file events.jsonl``
appends each accepted request to the file as a line. While ``events.jsonl.hold`` exists, answers are
delayed. While ``events.jsonl.refuse`` exists, answers have the status in that file, and the event's
id is appended to ``events.jsonl.refused``. The checks are those that Standard Webhooks
(spec/standard-webhooks.md) requires.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

from cloudevents.core.bindings.http import HTTPMessage, from_structured_event
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

_HELD_SECONDS = 30


@dataclass
class Receiver:
    """The requests that the receiver got, and its next answers."""

    secret: str
    file: Path | None = None
    answers: list[int] = field(default_factory=list)
    """Statuses of the next answers; further answers have 204."""
    accepted: list[dict[str, Any]] = field(default_factory=list)
    """The CDEvents of the accepted requests, in order."""
    refused: list[str] = field(default_factory=list)
    """Why requests were refused."""
    headers: dict[str, str] = field(default_factory=dict)
    """Headers of the last request."""
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hooks/deployments"

    def take(self, headers: Mapping[str, str], body: bytes) -> int:
        """Judge a request, and return the status of the answer."""
        self.headers = dict(headers)
        if self.answers:
            return self.answers.pop(0)
        if status := self._refusal(headers):
            return status
        try:
            Webhook(self.secret).verify(body, dict(headers))
            event = from_structured_event(HTTPMessage(dict(headers), body))
        except (WebhookVerificationError, ValueError) as error:
            self.refused.append(str(error))
            return 401
        data = event.get_data()
        assert isinstance(data, dict)
        agree = (
            event.get_id() == data["context"]["id"] == headers["webhook-id"],
            event.get_type() == data["context"]["type"],
            event.get_source() == data["context"]["source"],
            event.get_subject() == data["subject"]["id"],
        )
        if not all(agree):
            self.refused.append(f"the envelope differs from its CDEvent: {agree}")
            return 400
        self.accepted.append(data)
        if self.file:
            with self.file.open("a") as lines:
                lines.write(json.dumps(data) + "\n")
            hold = self.file.with_name(f"{self.file.name}.hold")
            end = time.monotonic() + _HELD_SECONDS
            while hold.exists() and time.monotonic() < end:
                time.sleep(0.1)
        return 204

    def _refusal(self, headers: Mapping[str, str]) -> int | None:
        """Status for a request that is refused because a file says so."""
        if self.file is None:
            return None
        try:
            status = int(self.file.with_name(f"{self.file.name}.refuse").read_text())
        except FileNotFoundError:
            return None
        with self.file.with_name(f"{self.file.name}.refused").open("a") as lines:
            lines.write(f"{headers['webhook-id']}\n")
        return status


def server(receiver: Receiver, port: int = 0) -> ThreadingHTTPServer:
    """A server for the receiver."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status = receiver.take({k.lower(): v for k, v in self.headers.items()}, body)
            self.send_response(status)
            if 300 <= status < 400:
                self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    made = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    receiver.port = made.server_port
    return made


@contextmanager
def running(receiver: Receiver) -> Iterator[Receiver]:
    """The receiver in a thread."""
    with server(receiver) as httpd:
        Thread(target=httpd.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield receiver
        finally:
            httpd.shutdown()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--secret", required=True)
    parser.add_argument("--file", type=Path, required=True)
    given = parser.parse_args()
    with server(Receiver(given.secret, given.file), given.port) as httpd:
        httpd.serve_forever()


if __name__ == "__main__":
    main()
