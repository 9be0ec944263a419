"""A cluster in which nothing changes: every write is a server-side dry run, and is noted."""

from __future__ import annotations

from typing import Any

from manifest_engine.domain.dry_run import difference
from manifest_engine.domain.dry_run.difference import Change
from manifest_engine.domain.release.labels import MANAGER
from manifest_engine.hooks.kubernetes.api_server import Json
from manifest_engine.hooks.kubernetes.cluster import ClusterHook


class DryRunHook(ClusterHook):
    """As :class:`ClusterHook`; the API server judges each write, admission included, and forgets.

    What would have happened stands in ``changes``, in order.
    """

    def __init__(self, conn_id: str, **kwargs: Any) -> None:
        super().__init__(conn_id, **kwargs)
        self.changes: list[Change] = []

    def apply(
        self, an_object: Json, *, force: bool = False, manager: str = MANAGER, dry_run: bool = False
    ) -> Json:
        """Apply as a dry run; returns the object as it would then be.

        :param dry_run: the real run would only try it as well, so it is no change.
        """
        metadata = an_object["metadata"]
        identity = an_object["apiVersion"], an_object["kind"], metadata["name"]
        before = self.get(*identity, metadata["namespace"])
        after = super().apply(an_object, force=force, manager=manager, dry_run=True)
        if manager == MANAGER and not dry_run:  # another hands over fields, undone here at once
            _keep_replicas(an_object, before, after)
            self.changes.append(difference.compare(before, after))
        return after

    def delete(
        self, api_version: str, kind: str, name: str, namespace: str, *, grace: int | None = None
    ) -> bool:
        """Note that the object would go. False, since it stays: nobody waits for it, or says so."""
        self.changes.append(Change(kind, name, "remove"))
        return False

    def create(self, an_object: Json) -> Json:
        raise NotImplementedError("a dry run creates no object")

    def replace(self, an_object: Json) -> Json:
        raise NotImplementedError("a dry run replaces no object")


def _keep_replicas(wanted: Json, before: Json | None, after: Json) -> None:
    """``replicas`` left to an autoscaler stays as it is: the real run hands it over first."""
    if before and wanted["kind"] == "Deployment" and "replicas" not in wanted["spec"]:
        after["spec"]["replicas"] = before["spec"]["replicas"]
