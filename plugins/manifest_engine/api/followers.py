"""Follows deployments for clients of the event stream, by one query a second for all of them."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any

from starlette.concurrency import run_in_threadpool

from manifest_engine.domain.record import deployment

PAUSE_SECONDS = 1.0
PING_SECONDS = 15.0
"""A comment keeps the connection open at proxies that close idle ones."""
FOLLOWERS_MAX = 1000
_log = logging.getLogger(__name__)

Facts = Mapping[str, deployment.Facts]


class Followers:
    """All clients of one API server that follow deployments.

    :param read: reads the rows of deployments; called in a thread.
    """

    def __init__(self, read: Callable[[Iterable[str]], Facts]) -> None:
        self._read = read
        self._queues: dict[asyncio.Queue[dict[str, Any]], str] = {}
        self._task: asyncio.Task[None] | None = None

    @property
    def full(self) -> bool:
        """Whether another client must be refused."""
        return len(self._queues) >= FOLLOWERS_MAX

    async def stream(self, run_id: str, after: str | None) -> AsyncIterator[str]:
        """Server-sent events until the deployment has ended.

        :param after: ``Last-Event-ID`` of a client that resumes.
        """
        queue: asyncio.Queue[dict[str, Any]] = asyncio.Queue(1)
        self._queues[queue] = run_id
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._poll())
        sent = {after}
        # An event about the deployment's state does not tell which steps the client knows.
        first = after[:2] if after and not after.startswith(deployment.STATE_EVENT) else ""
        try:
            quiet_since = time.monotonic()
            while True:
                made = None
                with suppress(TimeoutError):
                    made = await asyncio.wait_for(queue.get(), PING_SECONDS)
                for name, kind, data in deployment.events(made) if made else ():
                    if name not in sent and name[:2] >= first:
                        sent.add(name)
                        quiet_since = time.monotonic()
                        yield f"id: {name}\nevent: {kind}\ndata: {json.dumps(data)}\n\n"
                # Readings without a change send no event, so the time since the last event counts.
                if time.monotonic() - quiet_since >= PING_SECONDS:
                    quiet_since = time.monotonic()
                    yield ": still here\n\n"
                if made is None:
                    continue
                first = ""
                if made["state"] in deployment.ENDED:
                    return
        finally:
            del self._queues[queue]

    async def _poll(self) -> None:
        while self._queues:
            try:
                found = await run_in_threadpool(self._read, set(self._queues.values()))
                made = {run_id: deployment.summary(facts) for run_id, facts in found.items()}
                for queue, run_id in list(self._queues.items()):
                    if run_id in made:
                        while not queue.empty():  # a slow client gets the latest only
                            queue.get_nowait()
                        queue.put_nowait(made[run_id])
            except Exception:
                _log.exception("The deployments that clients follow could not be read")
            await asyncio.sleep(PAUSE_SECONDS)
