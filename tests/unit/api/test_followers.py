"""The event stream of a deployment in which nothing happens."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from manifest_engine.api import followers
from manifest_engine.api.followers import Followers
from manifest_engine.domain.record.audit import Run
from manifest_engine.domain.record.deployment import Facts, Task

BEGIN = datetime(2026, 1, 2, tzinfo=UTC)
RUN = Run("deploy_service", "api__1", "running", {}, "rest_api", "ada", BEGIN, BEGIN, None)
FACTS = Facts(RUN, "", [Task("validate", "running", 1, BEGIN, None)], {})


def test_a_quiet_deployment_sends_comments_that_keep_the_connection_open(monkeypatch):
    monkeypatch.setattr(followers, "PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(followers, "PING_SECONDS", 0.1)

    async def first_four() -> list[str]:
        stream = Followers(lambda _: {"api__1": FACTS}).stream("api__1", None)
        found = [await asyncio.wait_for(anext(stream), 5) for _ in range(4)]
        await stream.aclose()  # type: ignore[attr-defined]
        return found

    step, state, *comments = asyncio.run(first_four())
    assert step.startswith("id: 01-validate-1-running")
    assert state.startswith("id: 99-running")
    assert comments == [": still here\n\n"] * 2
