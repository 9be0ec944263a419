"""A run that lost its lease stops."""

from __future__ import annotations

import copy
import logging
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from manifest_engine.domain.core.errors import ClusterError, StateError
from manifest_engine.domain.lease import lease as leases
from manifest_engine.hooks.kubernetes.errors import Exists, NotFound
from manifest_engine.services.lease.service_lease import ServiceLease


class Cluster:
    """An API server with one Lease; ``away`` makes the server unreachable."""

    def __init__(self):
        self.lease = None
        self.away = False
        self.version = 0
        self.api = SimpleNamespace(request=self.delete)

    def create(self, desired):
        self._reach()
        if self.lease is not None:
            raise Exists("It exists.")
        self._keep(desired)

    def get(self, *_what):
        self._reach()
        return copy.deepcopy(self.lease)

    def replace(self, desired):
        self._reach()
        self._as_read(desired["metadata"]["resourceVersion"])
        self._keep(desired)

    def delete(self, method, api_version, kind, *, namespace, name, body):
        assert (method, api_version, kind) == ("delete", "coordination.k8s.io/v1", "Lease")
        assert (namespace, name) == ("apps", "pricing-quotes.manifest-engine")
        if self.lease is None:
            raise NotFound("It is gone.")
        self._as_read(body["preconditions"]["resourceVersion"])
        self.lease = None

    def taken_by(self, run_id, *, ago=0.0):
        moment = datetime.now(UTC) - timedelta(seconds=ago)
        self._keep(leases.desired("pricing-quotes", "apps", run_id, "bob", moment))

    def _keep(self, desired):
        self.version += 1
        self.lease = copy.deepcopy(desired)
        self.lease["metadata"]["resourceVersion"] = str(self.version)

    def _as_read(self, version):
        if version != self.lease["metadata"]["resourceVersion"]:
            raise Exists("It was changed.", retryable=True)

    def _reach(self):
        if self.away:
            raise ClusterError("The API server could not be reached.", retryable=True)


@pytest.fixture
def cluster():
    return Cluster()


@pytest.fixture
def lease(cluster):
    log = logging.getLogger("test")
    where = ("apps", "pricing-quotes")
    return ServiceLease(cluster, *where, run_id="mine", requested_by="ada", log=log)


@pytest.fixture
def always_due(monkeypatch):
    monkeypatch.setattr(leases, "RENEW_SECONDS", 0.0)


def test_renewal_fails_when_another_run_holds_the_lease(cluster, lease, always_due):
    lease.acquire()
    cluster.taken_by("other")
    with pytest.raises(StateError, match=r"another deployment holds the lease \(run other"):
        lease.renew()
    assert leases.holder(cluster.lease).run_id == "other"


def test_an_expired_or_deleted_lease_is_acquired_again(cluster, lease):
    cluster.taken_by("other", ago=90)
    lease.hold()
    assert leases.holder(cluster.lease).run_id == "mine"
    cluster.lease = None
    lease.hold()
    assert leases.holder(cluster.lease).run_id == "mine"


def test_an_unreachable_cluster_does_not_fail_the_renewal(cluster, lease, always_due):
    lease.acquire()
    cluster.away = True
    lease.renew()


def test_release_keeps_a_lease_that_another_run_just_acquired(cluster, lease):
    lease.acquire()
    read = cluster.get

    def get(*what):
        found = read(*what)
        cluster.taken_by("other")
        return found

    cluster.get = get
    lease.release()
    assert leases.holder(cluster.lease).run_id == "other"


def test_release_deletes_the_lease_of_this_run(cluster, lease):
    lease.acquire()
    lease.release()
    assert cluster.lease is None


def test_a_lease_that_no_run_created_is_neither_acquired_nor_deleted(cluster, lease):
    cluster.taken_by("mine", ago=3600)
    cluster.lease["metadata"]["labels"] = {"app": "quotes"}
    before = copy.deepcopy(cluster.lease)
    with pytest.raises(StateError, match="was not made by a deployment") as refused:
        lease.acquire()
    assert not refused.value.retryable
    lease.release()
    assert cluster.lease == before


def test_the_lease_of_a_removed_service_stays_as_a_record(cluster, lease):
    asked = datetime.now(UTC)
    lease.acquire()
    lease.record_removal(asked)
    lease.release()

    assert leases.is_free(cluster.lease, datetime.now(UTC))
    assert leases.tombstone(cluster.lease) == leases.Tombstone("mine", "ada", asked)


def test_the_record_of_a_removal_outlives_the_next_holder(cluster, lease):
    asked = datetime.now(UTC)
    lease.acquire()
    lease.record_removal(asked)
    lease.release()
    where = ("apps", "pricing-quotes")
    log = logging.getLogger("test")
    following = ServiceLease(cluster, *where, run_id="next", requested_by="bob", log=log)

    assert following.acquire() is None
    assert following.removal == leases.Tombstone("mine", "ada", asked)
    following.hold()
    following.release()

    assert leases.tombstone(cluster.lease) == following.removal


def test_an_earlier_removal_does_not_replace_the_record_of_a_later_one(cluster, lease):
    asked = datetime.now(UTC)
    lease.acquire()
    lease.record_removal(asked)
    lease.record_removal(asked - timedelta(hours=1))
    assert leases.tombstone(cluster.lease).requested_at == asked
