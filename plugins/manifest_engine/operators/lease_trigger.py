"""Waits in the triggerer until another run's deployment of the same service is over."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

from airflow.sdk import BaseHook
from airflow.triggers.base import BaseTrigger, TriggerEvent

POLL_SECONDS = 2.0


class LeaseTrigger(BaseTrigger):
    """Fires when the lease may be free; the task then tries to take it.

    :param conn_id: Airflow Connection of the cluster.
    :param namespace: of the Lease.
    :param name: of the Lease.
    :param deadline: seconds since the epoch after which the wait is over.
    """

    def __init__(self, *, conn_id: str, namespace: str, name: str, deadline: float) -> None:
        super().__init__()
        self.conn_id = conn_id
        self.namespace = namespace
        self.name = name
        self.deadline = deadline

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Class path and arguments, as Airflow stores them; no secret among them."""
        return (
            f"{type(self).__module__}.{type(self).__qualname__}",
            {
                "conn_id": self.conn_id,
                "namespace": self.namespace,
                "name": self.name,
                "deadline": self.deadline,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look every two seconds."""
        from manifest_engine.domain import lease
        from manifest_engine.domain.errors import ClusterError
        from manifest_engine.hooks.cluster import ClusterHook

        connection = await BaseHook.aget_connection(self.conn_id)
        hook = ClusterHook(self.conn_id, connection=connection)
        where = "coordination.k8s.io/v1", "Lease", self.name, self.namespace
        while time.time() < self.deadline:
            try:
                found = await asyncio.to_thread(hook.get, *where)
                if lease.is_free(found, datetime.now(UTC)):
                    break
            except ClusterError as error:
                if not error.retryable:
                    break  # the task meets the same error and tells it
                self.log.warning("%s", error)
            await asyncio.sleep(POLL_SECONDS)
        yield TriggerEvent({"state": "try again"})
