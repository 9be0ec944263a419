"""Records each write to a cluster and sends the write as a server-side dry run."""

from __future__ import annotations

from typing import Any

from manifest_engine.domain.drift import managed_fields
from manifest_engine.domain.dry_run import difference
from manifest_engine.domain.dry_run.difference import Change
from manifest_engine.domain.workload import resources
from manifest_engine.hooks.kubernetes.api_server import Json
from manifest_engine.hooks.kubernetes.cluster import ClusterHook


class DryRunHook(ClusterHook):
    """A :class:`ClusterHook` that changes nothing.

    The API server validates each write, admission included, and stores nothing. ``changes`` lists
    the writes in order.
    """

    def __init__(self, conn_id: str, **kwargs: Any) -> None:
        super().__init__(conn_id, **kwargs)
        self.changes: list[Change] = []
        self._managed: dict[tuple[str, str], list[Json]] = {}

    def apply(self, an_object: Json, *, force: bool = False, dry_run: bool = False) -> Json:
        """Apply as a dry run; returns the resulting object.

        :param dry_run: whether the real run uses a dry run here as well; not recorded as a change.
        """
        metadata = an_object["metadata"]
        if dry_run:
            return super().apply(an_object, force=force, dry_run=True)
        before = self.get(*resources.key(an_object), metadata["namespace"])
        managed = self._managed.pop((an_object["kind"], metadata["name"]), [])
        after = super().apply(an_object, force=force or bool(managed), dry_run=True)
        after = managed_fields.without(after, managed_fields.obsolete(managed, an_object))
        _keep_replicas(an_object, before, after)
        self.changes.append(difference.compare(before, after))
        return after

    def set_managed_fields(self, live: Json, managed: list[Json]) -> Json:
        """Keep the new owners for the next :meth:`apply`."""
        self._managed[live["kind"], live["metadata"]["name"]] = managed
        return live

    def delete(
        self, api_version: str, kind: str, name: str, namespace: str, *, grace: int | None = None
    ) -> bool:
        """Record the removal. Returns False, so that the caller does not wait for the removal."""
        self.changes.append(Change(kind, name, "remove"))
        return False

    def create(self, an_object: Json) -> Json:
        raise NotImplementedError("a dry run creates no object")

    def replace(self, an_object: Json) -> Json:
        raise NotImplementedError("a dry run replaces no object")


def _keep_replicas(desired: Json, before: Json | None, after: Json) -> None:
    """Keep the live ``replicas`` for an autoscaler; the real run releases the field first."""
    if before and desired["kind"] == "Deployment" and "replicas" not in desired["spec"]:
        after["spec"]["replicas"] = before["spec"]["replicas"]
