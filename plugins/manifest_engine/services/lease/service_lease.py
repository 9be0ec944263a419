"""Acquires, renews and releases the ``Lease`` of one service in one namespace."""

from __future__ import annotations

import logging
import time
from datetime import UTC, datetime
from typing import Any

from manifest_engine.domain.core.errors import ClusterError, StateError
from manifest_engine.domain.lease import lease as leases
from manifest_engine.domain.lease.lease import Holder, Tombstone
from manifest_engine.domain.release import labels as label
from manifest_engine.hooks.kubernetes.cluster import ClusterHook
from manifest_engine.hooks.kubernetes.errors import Exists

_WHAT = ("coordination.k8s.io/v1", "Lease")


class ServiceLease:
    """The lease of a service, held by a run.

    :param name: object name of the service.
    :param requested_by: user that the lease shows beside the run.
    """

    def __init__(
        self,
        hook: ClusterHook,
        namespace: str,
        name: str,
        *,
        run_id: str,
        requested_by: str,
        log: logging.Logger,
    ) -> None:
        self.hook = hook
        self.name = name
        self.namespace = namespace
        self.run_id = run_id
        self.requested_by = requested_by
        self.log = log
        self.removal: Tombstone | None = None
        """The last removal of the service, once the lease is acquired."""
        self._renewed = 0.0

    def acquire(self) -> Holder | None:
        """Acquire or renew the lease. None when this run holds the lease, else the holder.

        Two runs cannot both succeed: ``create`` fails if the Lease exists, and ``replace`` fails if
        the Lease changed after it was read.

        :raises StateError: when a Lease of this name exists that no run created.
        """
        desired = leases.desired(
            self.name, self.namespace, self.run_id, self.requested_by, datetime.now(UTC)
        )
        if self.removal:
            desired = leases.with_tombstone(desired, self.removal)
        try:
            try:
                self.hook.create(desired)
            except Exists:
                found = self._found()
                if found is None:
                    return self.acquire()
                if not label.is_ours(found):
                    raise StateError(leases.not_ours(found, self.name)) from None
                holder = leases.holder(found)
                if holder.run_id == self.run_id:
                    desired["spec"]["acquireTime"] = found["spec"]["acquireTime"]
                elif not leases.is_free(found, datetime.now(UTC)):
                    return holder
                elif holder.run_id:
                    self.log.warning("The lease of %s has expired: %s", self.name, holder)
                self.removal = leases.later(self.removal, leases.tombstone(found))
                if self.removal:
                    desired = leases.with_tombstone(desired, self.removal)
                version = found["metadata"]["resourceVersion"]
                desired["metadata"]["resourceVersion"] = version
                self.hook.replace(desired)
        except Exists:
            return self.acquire()  # another run changed the Lease first
        self._renewed = time.monotonic()
        return None

    def hold(self) -> None:
        """Renew the lease, or acquire it again after it expired.

        :raises StateError: when another run holds the lease; the live objects may belong to that
            run.
        """
        if holder := self.acquire():
            raise StateError(
                f"This run stops and changes nothing more: its lease of {self.name} expired, and "
                f"another deployment holds the lease ({holder}). Start a new run to deploy this "
                "release."
            )

    def renew(self) -> None:
        """Renew the lease when renewal is due. An unreachable cluster is logged, not raised.

        :raises StateError: see :meth:`hold`.
        """
        if time.monotonic() - self._renewed < leases.RENEW_SECONDS:
            return
        try:
            self.hold()
        except ClusterError as error:
            self.log.warning("The lease of %s is not renewed: %s", self.name, error)

    def record_removal(self, requested_at: datetime) -> None:
        """Record in the lease, which this run holds, that this run removes the service.

        :param requested_at: when the removal was requested (UTC).
        :raises StateError: when another run holds the lease.
        """
        mine = Tombstone(self.run_id, self.requested_by, requested_at)
        self.removal = leases.later(self.removal, mine)
        self.hold()

    def release(self) -> None:
        """Release the lease for the next run. A lease that cannot be released expires.

        The Lease of a removed service stays without a holder, as the record of the removal.
        """
        try:
            found = self._found()
            if not (found and label.is_ours(found)) or leases.holder(found).run_id != self.run_id:
                return
            if leases.tombstone(found):
                self.hook.replace(leases.released(found))
            else:
                # The precondition keeps a Lease that another run acquired after the read.
                version = {"resourceVersion": found["metadata"]["resourceVersion"]}
                where = {"namespace": self.namespace, "name": leases.lease_name(self.name)}
                self.hook.api.request("delete", *_WHAT, **where, body={"preconditions": version})
        except ClusterError as error:
            self.log.warning("The lease of %s is left to expire: %s", self.name, error)

    def _found(self) -> dict[str, Any] | None:
        return self.hook.get(*_WHAT, leases.lease_name(self.name), self.namespace)
