"""Waits in the triggerer for a state in a cluster.

A trigger contains names only, so it survives a restart and holds no secret.
"""

from __future__ import annotations

import asyncio
import time
from abc import abstractmethod
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk import BaseHook
from airflow.triggers.base import BaseTrigger, TriggerEvent

if TYPE_CHECKING:
    from airflow.sdk import Connection

    from manifest_engine.hooks.kubernetes.cluster import ClusterHook

PAUSE_GROWTH = 1.5


class ClusterTrigger(BaseTrigger):
    """Polls the cluster until the wait is settled or the deadline passes.

    The event only wakes the task, which reads the cluster again. An unreachable API server does not
    end the wait.

    :param conn_id: Airflow Connection of the cluster.
    :param namespace: namespace of the object.
    :param name: name of the object.
    :param deadline: end of the wait, in seconds since the epoch.
    """

    first_pause_seconds: ClassVar[float] = 2.0
    longest_pause_seconds: ClassVar[float] = 2.0

    def __init__(self, *, conn_id: str, namespace: str, name: str, deadline: float) -> None:
        super().__init__()
        self.conn_id = conn_id
        self.namespace = namespace
        self.name = name
        self.deadline = deadline

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Class path and arguments, as Airflow stores them."""
        return f"{type(self).__module__}.{type(self).__qualname__}", self.arguments()

    def arguments(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        return {
            "conn_id": self.conn_id,
            "namespace": self.namespace,
            "name": self.name,
            "deadline": self.deadline,
        }

    async def hook(self) -> ClusterHook:
        """The hook for the cluster."""
        connection = await BaseHook.aget_connection(self.conn_id)
        # The first import takes more than a second and would block all other triggers.
        return await asyncio.to_thread(_hook, self.conn_id, connection)

    @abstractmethod
    def settled(self, hook: ClusterHook) -> bool:
        """Whether the wait is over. Runs in a thread.

        :raises ClusterError: when the cluster cannot be read; a final error ends the wait.
        """

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Yields one event with the key ``state``; a refused wait also has the error's ``text``."""
        from manifest_engine.domain.core.errors import ClusterError

        hook = await self.hook()
        pause = self.first_pause_seconds
        last_error = ""
        while time.time() < self.deadline:
            try:
                if await asyncio.to_thread(self.settled, hook):
                    yield TriggerEvent({"state": "settled"})
                    return
            except ClusterError as error:
                if not error.retryable:
                    yield TriggerEvent({"state": "refused", "text": str(error)})
                    return
                if str(error) != last_error:
                    last_error = str(error)
                    self.log.warning("%s", last_error)
            await asyncio.sleep(pause)
            pause = min(PAUSE_GROWTH * pause, self.longest_pause_seconds)
        yield TriggerEvent({"state": "time is over"})


class LeaseTrigger(ClusterTrigger):
    """Fires when the lease of a service may be free; the task then tries to acquire the lease."""

    def settled(self, hook: ClusterHook) -> bool:
        """Whether no run holds the lease."""
        from manifest_engine.domain.lease import lease

        name = lease.lease_name(self.name)
        found = hook.get("coordination.k8s.io/v1", "Lease", name, self.namespace)
        return lease.is_free(found, datetime.now(UTC))


def _hook(conn_id: str, connection: Connection) -> ClusterHook:
    from manifest_engine.hooks.kubernetes.cluster import ClusterHook

    return ClusterHook(conn_id, connection=connection)
