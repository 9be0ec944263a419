"""Misbehaviour on request, for tests of a client; mounted only with ``--faults``.

``PUT /faults`` with a JSON plan, ``DELETE /faults`` to behave again. Each fault is one that real
installations have shown: a proxy that cuts, a version that ignores Range, storage that redirects.
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
    """What to do wrong from now on; nothing by default."""

    model_config = ConfigDict(extra="forbid")

    lie: bool = False
    """Give a sha256 in headers and file info that is not that of the bytes."""
    cut_after: int | None = None
    """Close the connection after so many bytes of a download."""
    cut_times: int | None = None
    """How many downloads are cut; None means all."""
    ignore_range: bool = False
    """Answer 200 with everything to a request for a part."""
    redirect: bool = False
    """Send downloads to signed URLs at another authority (``localhost`` for ``127.0.0.1``)."""
    unavailable: int = 0
    """Answer 503 to so many requests."""
    throttled: int = 0
    """Answer 429 with Retry-After to so many requests."""
    uncached: bool = False
    """Be a remote repository: file info is known after the first whole download alone (a 404
    before, as in https://jfrog.com/help/r/jfrog-rest-apis/get-folder-info, read 2026-11)."""


class Faults:
    """The plan at work, and the routes that change it."""

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

    def sha256(self, true: str) -> str:
        return hashlib.sha256(true.encode()).hexdigest() if self.plan.lie else true

    def body(self, blocks: Iterator[bytes]) -> Iterator[bytes]:
        """The blocks, or as many bytes of them as are let through."""
        plan = self.plan
        if plan.cut_after is None or plan.cut_times == 0:
            yield from blocks
            plan.uncached = False
            return
        if plan.cut_times is not None:
            plan.cut_times -= 1
        left = plan.cut_after
        for block in blocks:
            yield block[:left]
            left -= len(block)
            if left <= 0:
                raise ConnectionAbortedError("cut on request")

    def redirect(self, request: Request, repo: str, path: str) -> Response | None:
        """A redirect to the signed URL of this file, if that is the plan."""
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
        """Blob storage's refusal: also of credentials that come beside a signature."""
        if "authorization" in request.headers:
            return Response("InvalidAuthenticationInfo", status_code=400)
        until, signature = (request.query_params.get(name, "") for name in ("se", "sig"))
        right = hmac.compare_digest(signature, self._sign(repo, path, until))
        if not right or int(until) < time.time():
            return Response("AuthenticationFailed", status_code=403)
        return None

    def _sign(self, repo: str, path: str, until: str) -> str:
        return hmac.new(self._key, f"{repo}/{path} {until}".encode(), "sha256").hexdigest()
