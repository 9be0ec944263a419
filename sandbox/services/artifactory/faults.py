"""Injects faults for tests of a client; active only with ``--faults``.

``PUT /faults`` sets a JSON plan, ``DELETE /faults`` clears it. Each fault occurs in real
installations: a proxy that cuts connections, a version that ignores Range, storage that redirects.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections.abc import Iterator

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict

_SIGNED_FOR_SECONDS = 60


class Plan(BaseModel):
    """The faults to inject; none by default."""

    model_config = ConfigDict(extra="forbid")

    lie: bool = False
    """Send a wrong sha256 in headers and file info."""
    cut_after: int | None = None
    """Close the connection after this many bytes of a download."""
    cut_times: int | None = None
    """Number of downloads to cut; None means all."""
    ignore_range: bool = False
    """Answer a range request with 200 and the whole file."""
    redirect: bool = False
    """Redirect downloads to signed URLs at another host (``localhost``, not ``127.0.0.1``)."""
    unavailable: int = 0
    """Number of requests to answer with 503."""
    throttled: int = 0
    """Number of requests to answer with 429 and Retry-After."""
    uncached: bool = False
    """Act as a remote repository: file info is 404 until the first complete download
    (https://jfrog.com/help/r/jfrog-rest-apis/get-folder-info, read 2026-11)."""


class Faults:
    """The current plan, and the routes that change it."""

    def __init__(self) -> None:
        self.plan = Plan()
        self._key = secrets.token_bytes(16)
        self.router = APIRouter()
        self.router.add_api_route("/faults", self._set, methods=["PUT"], status_code=204)
        self.router.add_api_route("/faults", self._clear, methods=["DELETE"], status_code=204)

    def _set(self, plan: Plan) -> None:
        self.plan = plan

    def _clear(self) -> None:
        self.plan = Plan()

    def unavailable(self) -> bool:
        if self.plan.unavailable > 0:
            self.plan.unavailable -= 1
            return True
        return False

    def throttled(self) -> bool:
        if self.plan.throttled > 0:
            self.plan.throttled -= 1
            return True
        return False

    def sha256(self, actual: str) -> str:
        return hashlib.sha256(actual.encode()).hexdigest() if self.plan.lie else actual

    def body(self, blocks: Iterator[bytes]) -> Iterator[bytes]:
        """The blocks, cut if that is the plan."""
        plan = self.plan
        if plan.cut_after is None or plan.cut_times == 0:
            yield from blocks
            plan.uncached = False
            return
        if plan.cut_times is not None:
            plan.cut_times -= 1
        remaining = plan.cut_after
        for block in blocks:
            yield block[:remaining]
            remaining -= len(block)
            if remaining <= 0:
                raise ConnectionAbortedError("cut on request")

    def redirect(self, request: Request, repo: str, path: str) -> Response | None:
        """A redirect to the file's signed URL, if that is the plan."""
        if not self.plan.redirect:
            return None
        until = str(int(time.time()) + _SIGNED_FOR_SECONDS)
        target = request.url.replace(
            hostname="localhost",
            path=f"/signed/{repo}/{path}",
            query=f"se={until}&sig={self._sign(repo, path, until)}",
        )
        return Response(status_code=302, headers={"Location": str(target)})

    def refuse_signed(self, request: Request, repo: str, path: str) -> Response | None:
        """Blob storage's refusal. It also refuses credentials in addition to a signature."""
        if "authorization" in request.headers:
            return Response("InvalidAuthenticationInfo", status_code=400)
        until, signature = (request.query_params.get(name, "") for name in ("se", "sig"))
        valid = hmac.compare_digest(signature, self._sign(repo, path, until))
        if not valid or int(until) < time.time():
            return Response("AuthenticationFailed", status_code=403)
        return None

    def _sign(self, repo: str, path: str, until: str) -> str:
        return hmac.new(self._key, f"{repo}/{path} {until}".encode(), "sha256").hexdigest()
