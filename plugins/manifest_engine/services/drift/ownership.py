"""Applies objects over changes by hand: each field is taken over, kept or refused.

A field is taken over by a change of ``metadata.managedFields`` alone, as client-go's ``csaupgrade``
does it. The apply that follows then changes or removes the field together with all other changes,
so the pods are replaced once. The ``resourceVersion`` makes sure that nobody changed the object in
between.
"""

from __future__ import annotations

import logging
from collections import defaultdict

from manifest_engine.domain.core.errors import ClusterError
from manifest_engine.domain.drift import drift, managed_fields
from manifest_engine.domain.drift.drift import ByHand, Policy
from manifest_engine.domain.drift.managed_fields import Path
from manifest_engine.domain.workload import resources
from manifest_engine.hooks.kubernetes.api_server import Json
from manifest_engine.hooks.kubernetes.cluster import ClusterHook
from manifest_engine.hooks.kubernetes.errors import Conflict, Exists

_TRIES = 4
"""Controllers write the status of an object now and then, which changes its version."""


class Ownership:
    """
    :param recorded: the objects of the live release, as they were applied.
    """

    def __init__(
        self, hook: ClusterHook, policy: Policy, recorded: list[Json], log: logging.Logger
    ) -> None:
        self._hook = hook
        self._policy = policy
        self._recorded = {resources.key(item): item for item in recorded}
        self._log = log
        self.taken: list[str] = []
        """The changes by hand that were overwritten, for the audit."""

    def apply(self, desired: Json, live: Json | None) -> Json:
        """Apply an object.

        :param live: the live object; None if it does not exist or was not read. An object that was
            not read is read after a conflict, so only a Deployment must be read before.
        :raises ClusterError: naming the changes by hand that the policy does not overwrite, or when
            the cluster refuses the object.
        """
        for _ in range(_TRIES - 1):
            try:
                if live:
                    self.take_over(desired, live)
                return self._hook.apply(desired)
            except (Conflict, Exists):
                metadata = desired["metadata"]
                live = self._hook.get(*resources.key(desired), metadata["namespace"])
        if live:
            self.take_over(desired, live)
        return self._hook.apply(desired)

    def find(self, desired: Json, live: Json) -> list[ByHand]:
        """The changes by hand of one object."""
        return drift.find(live, desired, self._recorded.get(resources.key(desired)))

    def take_over(self, desired: Json, live: Json) -> None:
        """Take over the fields that other field managers own, as far as the policy says so.

        An autoscaler keeps the number of replicas: the field is released, because server-side apply
        would reset a field that we own and no longer set.

        :raises ClusterError: as :meth:`apply`; nothing is taken over then.
        :raises Exists: when another client changed the object after it was read.
        """
        taken = self.require(self.find(desired, live))
        by_manager: dict[str, set[Path]] = defaultdict(set)
        for change in taken:
            by_manager[change.manager] |= change.paths
        scaled = live["kind"] == "Deployment" and "replicas" not in desired["spec"]
        managed = managed_fields.handed_over(
            live, by_manager, {drift.REPLICAS} if scaled else set()
        )
        if managed != live["metadata"].get("managedFields", []):
            if taken:  # a refused release must not change the owners
                self._hook.apply(desired, force=True, dry_run=True)
            self._hook.set_managed_fields(live, managed)
        for change in taken:
            if not change.agreed:
                self._log.warning("%s; this is overwritten", change)
                self.taken.append(str(change))

    def require(self, found: list[ByHand]) -> list[ByHand]:
        """The changes to overwrite. Other changes are logged.

        :raises ClusterError: naming the changes by hand that the policy does not overwrite.
        """
        decided = [(change, self._policy.action(change)) for change in found]
        if refused := [change for change, action in decided if action == "refuse"]:
            raise ClusterError(drift.refusal(refused))
        for change, action in decided:
            if action == "leave":
                self._log.warning("%s; this is not changed (cluster.drift: report)", change)
        return [change for change, action in decided if action == "take"]
