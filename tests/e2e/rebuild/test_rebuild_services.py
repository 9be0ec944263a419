"""Nightly runs: without a change, after a changed base image, and after a rollback."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
import requests
from kubernetes import client

from tests.e2e.conftest import remove
from tests.e2e.nightly import COMPONENT, RECORD, Night, dockerfile, load

NAMES = ["first", "second", "third", "broken", "apart"]


@pytest.fixture(scope="module")
def night(api, cluster, environment) -> Iterator[Night]:
    """Five services, four of them on a base image with the text "one"."""
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


def skipped_when_late(night: Night, run_id: str) -> str:
    """Run a rebuild again, late; returns why ``validate`` skips the other steps."""
    night.run_again("deploy_service", run_id)
    assert night.wait("deploy_service", run_id) == "success"
    return str(night.api.xcom(f"dags/deploy_service/dagRuns/{run_id}", "validate", "skipped"))


def test_a_changed_base_image_rebuilds_only_its_services_and_yields_to_manual_changes(
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
    night.take_tags("second")
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

    planned = api.xcom(f"dags/deploy_service/dagRuns/{rows['second']['run_id']}", "validate")
    assert re.fullmatch(
        r"1\.0-\d{14}", planned["tag"]
    )  # the tag of this minute names another image
    run = api.get(f"dags/deploy_service/dagRuns/{rows['first']['run_id']}")
    assert run["triggered_by"] == "operator"
    again = night.start("first", dockerfile(night.base))
    assert night.wait("deploy_service", again, "record_release") == "success"
    assert (
        night.seen(["first"])["first"] == after["first"]
    )  # not the image that the version's tag names

    changed = night.start("first", dockerfile(night.base), env={"EXTRA": "1"})
    assert night.wait("deploy_service", changed, "record_release") == "success"
    live = night.seen(["first"])
    remove(cluster, night.namespace, f"{COMPONENT}-third")
    sentences = [skipped_when_late(night, rows[name]["run_id"]) for name in ("first", "third")]
    assert "was deployed again after the rebuild was planned" in sentences[0]
    assert "was removed after the rebuild was planned" in sentences[1]
    assert night.seen(["first"]) == live

    digest = before["first"][1].partition("@sha256:")[2]
    request = {"component": COMPONENT, "serviceName": "first", "environment": "dev"}
    back = night.trigger("rollback_service", request | {"version": digest[:12]})
    assert night.wait("rollback_service", back) == "success"
    left = night.seen(["first"])
    assert left["first"][1] == before["first"][1]
    state, rows, _ = night.rebuild(component=COMPONENT, serviceName="first")
    assert (state, rows["first"]["outcome"]) == ("success", "skipped")
    assert "It was rolled back" in rows["first"]["sentence"]
    assert night.seen(["first"]) == left
