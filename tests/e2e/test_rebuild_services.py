"""Nights: nothing has changed, a base image has changed, and a person was quicker."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests
from kubernetes import client
from manifest_engine.domain import lease

from tests.e2e.conftest import remove
from tests.e2e.nightly import COMPONENT, RECORD, Night, dockerfile

LOAD = Path(__file__).parents[1] / "integration/load.py"
NAMES = ["first", "second", "third", "broken", "apart"]
RELEASE_HASH = "manifest-engine.io/release-hash"


@pytest.fixture(scope="module")
def night(api, cluster, environment) -> Iterator[Night]:
    """Five services, four of them on a base image that says "one"."""
    made = Night(api, client.AppsV1Api(cluster), environment)
    try:
        made.push_base("one")
        own = dockerfile(made.base)
        made.deploy(
            first=own,
            second=own,
            third=own,
            broken=dockerfile(made.base, "RUN grep one /base"),
            apart=dockerfile("python:3.11", "RUN echo apart > /base"),
        )
        yield made
    finally:
        for name in NAMES:
            remove(cluster, made.namespace, f"{COMPONENT}-{name}")


@contextmanager
def load(*urls: str) -> Iterator[list[dict[str, Any]]]:
    """Requests to the URLs meanwhile; the counts stand in the list afterwards."""
    begun = [
        subprocess.Popen(
            [sys.executable, str(LOAD), url, "2", "0.05"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        for url in urls
    ]
    counted: list[dict[str, Any]] = []
    try:
        yield counted
    finally:
        counted += [json.loads(process.communicate(timeout=30)[0]) for process in begun]


def test_a_changed_base_image_rolls_its_dependants_alone_and_a_person_comes_first(
    night, api, cluster, environment
):
    url = f"{environment['GATEWAY_URL']}/datafactory/{COMPONENT}"
    before = night.seen(NAMES)
    untouched = [night.live(name).metadata.generation for name in NAMES]

    state, rows, _ = night.rebuild(component=COMPONENT)
    assert (state, {name: row["outcome"] for name, row in rows.items()}) == (
        "success",
        dict.fromkeys(NAMES, "unchanged"),
    )
    assert not any("run_id" in row for row in rows.values())
    assert night.seen(NAMES) == before
    assert [night.live(name).metadata.generation for name in NAMES] == untouched

    night.push_base("two")
    night.note("apart", **{RECORD: None})
    with load(f"{url}/first/", f"{url}/second/") as counted:
        state, rows, sentence = night.rebuild(component=COMPONENT)
    assert state == "failed"
    assert {name: row["outcome"] for name, row in rows.items()} == {
        **dict.fromkeys(("first", "second", "third"), "rebuilt"),
        "broken": "failed",
        "apart": "unchanged",
    }
    assert all(item["sent"] > 20 and item["failed"] == 0 for item in counted), counted
    assert sentence.startswith(f"1 service could not be rebuilt: {COMPONENT}-broken in dev: ")
    assert "grep one /base" in sentence
    assert f"{night.base} has changed" in rows["first"]["sentence"]
    answers = {name: requests.get(f"{url}/{name}/", timeout=10).text.strip() for name in NAMES}
    assert answers == {
        "first": "two", "second": "two", "third": "two", "broken": "one", "apart": "apart",
    }  # fmt: skip
    after = night.seen(NAMES)
    assert (after["broken"], after["apart"]) == (before["broken"], before["apart"])
    assert after["first"][1].endswith(rows["first"]["digest"])
    assert "python:3.11" in night.live("apart").metadata.annotations[RECORD]

    run = api.get(f"dags/deploy_service/dagRuns/{rows['first']['run_id']}")
    assert run["triggered_by"] == "operator"
    stale = {name: api.get(f"dags/deploy_service/dagRuns/{rows[name]['run_id']}")["conf"]
             for name in ("first", "third")}  # fmt: skip
    remove(cluster, night.namespace, f"{COMPONENT}-third")
    late = {name: night.trigger("deploy_service", conf) for name, conf in stale.items()}
    told = {}
    for name, run_id in late.items():
        assert night.wait("deploy_service", run_id) == "success"
        told[name] = api.xcom(f"dags/deploy_service/dagRuns/{run_id}", "validate", "skipped")
    assert "was deployed anew after the rebuild was planned" in told["first"]
    assert "was removed after the rebuild was planned" in told["third"]
    assert night.seen(["first"])["first"] == after["first"]


def test_a_rebuild_waits_for_a_manual_deployment_and_then_leaves_what_it_brought(
    night, api, cluster
):
    before = night.seen(["second"])
    leases = client.CoordinationV1Api(cluster)
    name = f"{COMPONENT}-second"
    held = lease.wanted(name, night.namespace, "by-hand-1", "grace", datetime.now(UTC))
    leases.create_namespaced_lease(night.namespace, held)
    run_id = night.trigger(
        "rebuild_services",
        {"environment": "dev", "component": COMPONENT, "serviceName": "second", "force": True},
    )
    deployment = f"dags/deploy_service/dagRuns/{run_id}__{name}__dev"
    end = time.monotonic() + 90
    while (api.get(f"{deployment}/taskInstances/apply_deployment") or {}).get(
        "state"
    ) != "deferred":
        assert time.monotonic() < end
        time.sleep(0.3)
    mapped = api.get(f"dags/rebuild_services/dagRuns/{run_id}/taskInstances/rebuild/listMapped")
    (task,) = mapped["task_instances"]
    assert (task["rendered_map_index"], task["state"]) == (f"{name} in dev", "deferred")
    assert not api.xcom(deployment, "build_image").get("cached_steps")

    night.note("second", **{RELEASE_HASH: "of-the-manual-one"})
    leases.delete_namespaced_lease(name, night.namespace)
    assert night.wait("rebuild_services", run_id) == "success"
    table = api.xcom(f"dags/rebuild_services/dagRuns/{run_id}", "summarise", "table")
    (row,) = table["rows"]
    assert row["outcome"] == "skipped"
    assert "was deployed anew after the rebuild was planned" in row["sentence"]
    assert night.seen(["second"]) == before
