"""A double of a registry with ACR's token protocol, as strict as the real registry."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

REPOSITORY = "datafactory/pricing/quote"
USER, PASSWORD = "robot", "p:ss/wörd"
ZERO_USER = "00000000-0000-0000-0000-000000000000"
TENANT, ENTRA_TOKEN = "11111111-2222-3333-4444-555555555555", "token-of-entra-id"
MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
INDEX = "application/vnd.oci.image.index.v1+json"


@dataclass
class Fault:
    """Answers to send first, in this order, instead of the correct answer."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    path: str = ""
    """Only for requests whose path contains this text."""


class RegistryServer(ThreadingHTTPServer):
    """``host`` is for the Connection; ``requests`` holds method and path of every request."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.host = f"127.0.0.1:{self.server_address[1]}"
        self.requests: list[str] = []
        self.faults: list[Fault] = []
        self.blobs: dict[str, bytes] = {}
        self.manifests: dict[str, tuple[str, bytes]] = {}
        self.refresh_seconds = 10_800.0
        self.appears_after = 0
        """Number of requests for a manifest that are answered by 404 at first."""
        self.realm = f"http://{self.host}/oauth2/token"
        self._refresh: dict[str, float] = {}
        self._access: dict[str, str] = {}
        self._serial = 0
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    def put(self, repository: str, tag: str, labels: dict[str, str], *, indexed: bool) -> str:
        """Store an image, and return the digest of the tag."""
        config = self._blob({"config": {"Labels": labels}})
        body = json.dumps(
            {"config": {"digest": config}, "layers": [{"digest": "sha256:0", "size": 7}]}
        ).encode()
        digest = self._store(repository, tag, MANIFEST, body)
        if indexed:
            entries = [
                {"digest": "sha256:1", "platform": {"os": "unknown", "architecture": "unknown"}},
                {"digest": digest, "platform": {"os": "linux", "architecture": "amd64"}},
            ]
            digest = self._store(
                repository, tag, INDEX, json.dumps({"manifests": entries}).encode()
            )
        return digest

    def count(self, word: str) -> int:
        return sum(word in request for request in self.requests)

    def _blob(self, content: Any) -> str:
        body = json.dumps(content).encode()
        digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
        self.blobs[digest] = body
        return digest

    def _store(self, repository: str, tag: str, kind: str, body: bytes) -> str:
        digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
        for reference in (tag, digest):
            self.manifests[f"{repository}/manifests/{reference}"] = kind, body
        return digest

    def refresh_token(self) -> str:
        self._serial += 1
        end = time.time() + self.refresh_seconds
        claims = json.dumps({"exp": end, "jti": self._serial}).encode()
        token = f"e30.{base64.urlsafe_b64encode(claims).decode().rstrip('=')}.signature"
        self._refresh[token] = end
        return token

    def knows_refresh(self, token: str) -> bool:
        return self._refresh.get(token, 0) > time.time()

    def access_token(self, scope: str) -> str:
        self._serial += 1
        token = f"access-{self._serial}"
        self._access[token] = scope
        return token

    def scope_of(self, header: str) -> str | None:
        return self._access.get(header.removeprefix("Bearer "))

    def revoke_refresh(self) -> None:
        """Refuse all refresh tokens that were issued so far."""
        self._refresh.clear()

    def revoke(self) -> None:
        """Let all access tokens expire."""
        self._access.clear()


class _Handler(BaseHTTPRequestHandler):
    server: RegistryServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # otherwise each answer waits 40 ms between head and body

    def do_GET(self) -> None:
        self._take(self._get)

    def do_HEAD(self) -> None:
        self._take(self._get)

    def do_POST(self) -> None:
        self._take(self._post)

    def _take(self, handle: Any) -> None:
        self.server.requests.append(f"{self.command} {self.path}")
        length = int(self.headers.get("Content-Length", 0))
        self.form = {k: v[0] for k, v in parse_qs(self.rfile.read(length).decode()).items()}
        if self.server.faults and self.server.faults[0].path in self.path:
            fault = self.server.faults.pop(0)
            self._say(fault.status, fault.body, fault.headers)
        else:
            handle()

    def _get(self) -> None:
        url = urlsplit(self.path)
        if url.path == "/oauth2/token":
            query = {k: v[0] for k, v in parse_qs(url.query).items()}
            given = self.headers.get("Authorization", "").removeprefix("Basic ")
            user, _, password = base64.b64decode(given).decode().partition(":")
            known = user == ZERO_USER and self.server.knows_refresh(password)
            if not known and (user, password) != (USER, PASSWORD):
                self._refuse("bad login")
            else:
                self._token(query)
            return
        name = url.path.removeprefix("/v2/")
        required_scope = (
            f"repository:{name.split('/manifests/')[0].split('/blobs/')[0]}:pull" if name else ""
        )
        if self.server.scope_of(self.headers.get("Authorization", "")) != required_scope:
            challenge = f'Bearer realm="{self.server.realm}",service="{self.server.host}"'
            if required_scope:
                challenge += f',scope="{required_scope}"'
            self._refuse("authentication required", {"WWW-Authenticate": challenge})
        elif not name:
            self._say(200, b"{}")
        elif "/blobs/" in name:
            self._say(200, self.server.blobs[name.split("/blobs/")[1]])
        elif name not in self.server.manifests or self.server.appears_after > 0:
            self.server.appears_after -= 1
            self._say(404, b'{"errors":[{"code":"MANIFEST_UNKNOWN","message":"unknown"}]}')
        else:
            kind, body = self.server.manifests[name]
            if kind not in self.headers.get("Accept", ""):
                self._say(404, b'{"errors":[{"code":"MANIFEST_UNKNOWN","message":"accept"}]}')
            else:
                self._say(200, body, {"Content-Type": kind})

    def _post(self) -> None:
        if self.path == "/oauth2/exchange":
            expected = {
                "grant_type": "access_token",
                "service": self.server.host,
                "tenant": TENANT,
                "access_token": ENTRA_TOKEN,
            }
            if self.form != expected:
                self._refuse(f"exchange of {sorted(self.form)}")
            else:
                token = self.server.refresh_token()
                self._say(200, json.dumps({"refresh_token": token}).encode())
        elif self.path == "/oauth2/token" and self.form.get("grant_type") == "refresh_token":
            if not self.server.knows_refresh(self.form.get("refresh_token", "")):
                self._refuse("refresh token")
            elif not self.form.get("scope"):
                self._say(400, b'{"errors":[{"code":"UNSUPPORTED","message":"no scope"}]}')
            else:
                self._token(self.form)
        else:
            self._say(404, b"")

    def _token(self, parameters: dict[str, str]) -> None:
        if parameters.get("service") != self.server.host:
            self._refuse("service")
            return
        token = self.server.access_token(parameters.get("scope", ""))
        self._say(200, json.dumps({"access_token": token}).encode())

    def _refuse(self, why: str, headers: dict[str, str] | None = None) -> None:
        body = json.dumps({"errors": [{"code": "UNAUTHORIZED", "message": why}]}).encode()
        self._say(401, body, headers)

    def _say(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Log nothing."""
