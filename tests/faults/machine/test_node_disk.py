"""The disk of the cluster's only node is full, and has room again later."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client

from sandbox.airflow.deploy import follow
from sandbox.core import process
from sandbox.core.part import wait_until
from sandbox.kubernetes.cluster import Cluster
from sandbox.kubernetes.files import NODE
from sandbox.kubernetes.node_config import KUBELET
from tests.faults.breakage import changed
from tests.faults.moments import begin, told

MARGIN = 4 << 30
"""Bytes between the free space of now and the kubelet's threshold, and beyond it."""
PRESSURE_SECONDS = 120
"""The kubelet looks at its disk every 10 s, and its figures can be older."""
TAINT = "node.kubernetes.io/disk-pressure"


@pytest.fixture
def kubelet(cluster, live) -> Iterator[None]:
    """A kubelet that reports a full disk soon, but evicts no pod: its soft limit has an hour."""
    victim = process.find("kubelet")
    assert victim is not None
    word = next(word for word in victim.cmdline() if word.startswith("--config="))
    file = Path(word.partition("=")[2])
    limit = shutil.disk_usage(KUBELET).free - MARGIN
    config = json.loads(file.read_text()) | {
        "evictionSoft": {"nodefs.available": str(limit)},
        "evictionSoftGracePeriod": {"nodefs.available": "1h"},
        "evictionPressureTransitionPeriod": "1s",  # by default, it stays under pressure for 5 min
    }
    other = file.with_name("kubelet-full.json")
    other.write_text(json.dumps(config))
    try:
        with changed("kubelet", word, f"--config={other}"):
            wait_until(lambda: _unknown_pods(cluster), 60, "the kubelet")
            time.sleep(5)  # now all pods are admitted; a full disk would refuse them
            yield
        wait_until(Cluster().ready, 60, "the cluster")
    finally:
        other.unlink()


def _unknown_pods(cluster: Any) -> str | None:
    """None if the kubelet knows all of its pods, which it learns after its start."""
    core = client.CoreV1Api(cluster)
    pods = core.list_pod_for_all_namespaces(field_selector="status.phase=Running").items
    try:
        text = core.connect_get_node_proxy_with_path(NODE, "pods")
    except client.ApiException as error:
        return str(error.reason)
    unknown = [pod.metadata.name for pod in pods if pod.metadata.uid not in text]
    return f"it does not know {unknown}" if unknown else None


@pytest.fixture
def full(cluster, kubelet) -> Callable[[], AbstractContextManager[None]]:
    """Fills the disk of the node during a block, and waits until the cluster knows."""
    core = client.CoreV1Api(cluster)
    filler = KUBELET / "filler"

    def tainted() -> bool:
        return TAINT in [taint.key for taint in core.read_node(NODE).spec.taints or []]

    @contextmanager
    def fill() -> Iterator[None]:
        try:
            with filler.open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, 2 * MARGIN)
            wait_until(lambda: None if tainted() else "no pressure", PRESSURE_SECONDS, "the taint")
            yield
        finally:
            filler.unlink()
        wait_until(lambda: "pressure" if tainted() else None, PRESSURE_SECONDS, "the node")

    return fill


def test_the_nodes_disk_full_and_emptied(*, faults, live, load, left_over, api, full):
    expected = (
        "smoke_test says that the node has a taint and what sets one, and waits; with room again, "
        "the run succeeds in one try; the old release serves on"
    )
    with faults.case("the node's disk full, then emptied", expected) as case:
        with load(live) as found:
            with full():
                run_id = begin(api, live, live.source("plain-service", "emptied"), version="12.2")
                why = told(api, run_id, "smoke_test", "waiting", "taint")
            outcome = follow(api, run_id)
        tries = outcome.steps["smoke_test"]["tries"]
        case.seen = f"smoke_test said: {why}; {outcome.state}, tries: {tries}"
        assert "disk is full" in why
        assert outcome.ok, f"{outcome.failed_step}: {outcome.error}"
        assert tries == 1
        assert left_over(live) == []
        case.load(found)
