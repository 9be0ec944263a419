"""An HTTP server that speaks ``docs/api.md``: states and events are the domain's own.

Faults are set by the test: answers before the real one, and streams that break off.
"""

from __future__ import annotations

import base64
import json
import threading
import time
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from manifest_engine.domain.environment import environments
from manifest_engine.domain.manifest import validation
from manifest_engine.domain.record import deployment
from manifest_engine.domain.record.audit import Run
from manifest_engine.domain.record.deployment import Facts, Task

BEGIN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
PASSWORD = "correct horse"
PLUGINS = Path(__file__).parents[3] / "plugins"
_API = "/manifest-engine/api/v1"


def facts(run_state: str, conf: dict[str, Any], xcoms: Any = None, **states: str) -> Facts:
    """Airflow's record of a deployment at one moment."""
    run = Run(
        *("deploy_service", "api__1", run_state, conf, "rest_api", "ada"), *(BEGIN, BEGIN, None)
    )
    end = BEGIN + timedelta(seconds=1.5)
    tasks = [Task(name, state, 1, BEGIN, end) for name, state in states.items()]
    return Facts(run, "", tasks, xcoms or {})


LIVE_XCOMS = {
    ("push_image", "return_value"): {"digest": "sha256:abc"},
    ("publish_route", "return_value"): {"url": "https://apps.example.com/datafactory/a/b"},
}


def going_live(conf: dict[str, Any]) -> list[Facts]:
    """The moments of a deployment that goes live."""
    return [
        facts("running", conf, validate="running"),
        facts("running", conf, validate="success", build_image="running"),
        facts(
            "success",
            conf,
            LIVE_XCOMS,
            validate="success",
            build_image="success",
            publish_route="success",
        ),
    ]


def planning(conf: dict[str, Any]) -> list[Facts]:
    """The moments of a dry run."""
    fields = [{"field": "spec.replicas", "before": "2", "after": "3"}]
    change = {"kind": "Deployment", "name": "a-b", "action": "change", "fields": fields}
    xcoms = {("validate", "dry_run"): [change]}
    return [facts("success", conf, xcoms, validate="success")]


def failing(conf: dict[str, Any]) -> list[Facts]:
    """The moments of a deployment whose build fails."""
    xcoms = {("build_image", "error"): "pip found no version of \x1b[31mflask."}
    return [
        facts("running", conf, validate="success", build_image="running"),
        facts("failed", conf, xcoms, validate="success", build_image="failed"),
    ]


class Api:
    """The server and what it has seen.

    :ivar answers: status and headers of answers that come before the real ones.
    :ivar moments: makes the moments of a deployment from its manifest.
    :ivar cuts: events after which a stream breaks off, one number for each stream.
    """

    def __init__(self) -> None:
        self.moments = going_live
        self.answers: list[tuple[int, dict[str, str]]] = []
        self.cuts: list[int] = []
        self.seen: list[tuple[str, str]] = []
        self.resumed: list[str] = []
        self.logins = 0
        self.lifetime = 3600
        self.valid: set[str] = set()
        self.started: dict[str, dict[str, Any]] = {}
        self.keys: list[str] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def token(self, lifetime: int | None = None) -> str:
        """A token that the server accepts."""
        now = int(time.time())
        claims = {"iat": now, "exp": now + (lifetime or self.lifetime), "n": len(self.valid)}
        payload = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
        made = f"e30.{payload}.signature"
        self.valid.add(made)
        return made

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        api = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: Any) -> None:
                pass

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                api.seen.append(("POST", self.path))
                if self.path == "/auth/token":
                    self._log_in(body)
                elif self._usable():
                    self._begin(body)

            def do_DELETE(self) -> None:
                api.seen.append(("DELETE", self.path))
                if self._usable():
                    self._begin({})

            def do_GET(self) -> None:
                api.seen.append(("GET", self.path))
                if not self._usable():
                    return
                if self.path.startswith(f"{_API}/services/"):
                    items = [{"id": name} for name in reversed(api.started)]
                    self._json(200, {"items": items[:1], "total": len(items), "next": None})
                    return
                name = self.path.removeprefix(f"{_API}/deployments/").removesuffix("/events")
                if name not in api.started:
                    self._problem(404, "There is no deployment with this id.")
                elif self.path.endswith("/events"):
                    self._events(name)
                else:
                    self._json(200, deployment.summary(api.moments(api.started[name])[-1]))

            def _log_in(self, body: Any) -> None:
                if body != {"username": "ada", "password": PASSWORD}:
                    self._json(401, {"detail": "Invalid credentials"})
                    return
                api.logins += 1
                self._json(201, {"access_token": api.token()})

            def _usable(self) -> bool:
                if api.answers:
                    status, headers = api.answers.pop(0)
                    self._problem(status, "Made by the test.", headers)
                    return False
                token = self.headers.get("Authorization", "").removeprefix("Bearer ")
                if token in api.valid:
                    return True
                self._problem(401, "Token Expired")
                return False

            def _begin(self, body: dict[str, Any]) -> None:
                if self.path == f"{_API}/deployments":
                    self._start(body)
                    return
                key = self.headers["Idempotency-Key"]
                api.keys.append(key)
                api.started[f"api__{key}"] = body
                self._json(202, {"id": f"api__{key}", "state": "queued"})

            def _start(self, conf: dict[str, Any]) -> None:
                _, problems = validation.check(conf, environments.load())
                if problems:
                    errors = [item.dump() for item in problems]
                    detail = f"The manifest has {len(errors)} problems."
                    self._problem(422, detail, errors=errors)
                    return
                key = self.headers["Idempotency-Key"]
                api.keys.append(key)
                if api.started.setdefault(f"api__{key}", conf) != conf:
                    self._problem(409, "The Idempotency-Key was used before.")
                    return
                self._json(202, {"id": f"api__{key}", "state": "queued"})

            def _events(self, name: str) -> None:
                after = self.headers.get("Last-Event-ID", "")
                api.resumed.append(after)
                self.send_response(200)
                self.send_header("Content-Type", "text/event-stream")
                self.send_header("Connection", "close")
                self.end_headers()
                left = api.cuts.pop(0) if api.cuts else 1000
                sent = {after}
                first = "" if after.startswith(deployment.STATE_EVENT) else after[:2]
                for moment in api.moments(api.started[name]):
                    self.wfile.write(b": still here\n\n")
                    for event, kind, data in deployment.events(deployment.summary(moment)):
                        if event in sent or event[:2] < first:
                            continue
                        if left == 0:
                            self.wfile.write(f"id: {event}\ndata: {{".encode())
                            return
                        sent.add(event)
                        left -= 1
                        text = f"id: {event}\nevent: {kind}\ndata: {json.dumps(data)}\n\n"
                        self.wfile.write(text.encode())

            def _problem(self, status: int, detail: str, headers: Any = None, **more: Any) -> None:
                made = {"type": "about:blank", "status": status, "detail": detail, **more}
                headers = {"Content-Type": "application/problem+json", **(headers or {})}
                self._json(status, made, headers)

            def _json(self, status: int, made: Any, headers: Any = None) -> None:
                body = json.dumps(made).encode()
                self.send_response(status)
                headers = {"Content-Type": "application/json", **(headers or {})}
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        return Handler
