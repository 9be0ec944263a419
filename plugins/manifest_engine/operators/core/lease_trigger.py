"""Waits in the triggerer until another run's deployment of the same service is over."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from manifest_engine.domain.lease import lease
from manifest_engine.operators.core.cluster_trigger import ClusterTrigger

if TYPE_CHECKING:
    from manifest_engine.hooks.kubernetes.cluster import ClusterHook


class LeaseTrigger(ClusterTrigger):
    """Fires when the Lease of a service may be free; the task then tries to take it."""

    def settled(self, hook: ClusterHook) -> bool:
        """Whether nobody holds it."""
        name = lease.lease_name(self.name)
        found = hook.get("coordination.k8s.io/v1", "Lease", name, self.namespace)
        return lease.is_free(found, datetime.now(UTC))
