"""The list of services: the cluster's present state, or Airflow's record."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from threading import Event
from typing import Any

import pytest
from manifest_engine.api import catalog
from manifest_engine.domain.core.errors import ClusterError
from manifest_engine.domain.record.history import Place
from manifest_engine.domain.record.live import Live
from manifest_engine.domain.record.overview import Filter
from manifest_engine.services.record import observation, readings, run_index

QUOTES = Place("pricing", "quotes", "dev")
PUBLISHED = {
    ("validate", "return_value"): {
        "manifest": {"component": "pricing", "serviceName": "quotes", "version": "1"},
        "environment": {"artifactory": {"repository": "datafactory"}},
    },
    ("push_image", "return_value"): {"digest": "sha256:1"},
}


def live(place: Place = QUOTES, state: str = "running", **more: Any) -> dict[Place, Live]:
    values = {
        "version": "1",
        "digest": "sha256:1",
        "desired": 2,
        "ready": 2,
        "artifact": "datafactory/a.zip",
        "artifact_sha256": "abc",
        "run_id": "api__1",
        "since": "2026-01-02T00:00:00+00:00",
        "requested_by": "ada",
        "bases": {},
        "manifest": {"port": 8002},
        **more,
    }
    return {place: Live(place=place, state=state, **values)}


def only(found: dict[str, Any]) -> dict[str, Any]:
    (item,) = found["items"]
    return item


def test_a_row_has_the_live_release_and_the_last_result(run, cluster, session):
    run("api__1", "success", publish_route="success")
    run("api__2", "failed", {("build_image", "error"): "pip fails."}, build_image="failed")
    cluster["dev"] = live(bases={"docker.io/library/python:3.11": "sha256:a"})
    row = only(catalog.list_services())
    assert (row["state"], row["ready"], row["desired"], row["observed"]) == ("running", 2, 2, True)
    assert row["url"] == "https://dev.example.com/datafactory/pricing/quotes"
    assert (row["version"], row["requestedBy"], row["deploymentId"]) == ("1", "ada", "api__1")
    result = row["lastResult"]
    assert (result["id"], result["state"], result["failedStep"]) == (
        "api__2",
        "failed",
        "build_image",
    )
    assert result["error"] == "pip fails."
    assert row["baseOutdated"] is None


def test_a_base_image_is_outdated_if_a_nightly_run_found_another_digest(run, cluster, session):
    base = "docker.io/library/python:3.11"
    xcoms = {("plan", "bases"): {base: ["sha256:b"]}}
    run("scheduled__1", "success", xcoms, dag_id="rebuild_services")
    cluster["dev"] = live(bases={base: "sha256:a"})
    row = only(catalog.list_services())
    assert row["bases"] == [{"image": base, "digest": "sha256:a", "outdated": True}]
    assert row["baseOutdated"] is True


def test_a_cluster_that_fails_is_replaced_by_airflows_record(run, cluster, session):
    run("api__1", "success", PUBLISHED, publish_route="success")
    run("api__2", "failed")
    cluster["dev"] = ClusterError("The API server cannot be reached.")
    found = catalog.list_services()
    row = only(found)
    assert (row["state"], row["observed"], row["ready"]) == ("unknown", False, None)
    assert (row["version"], row["digest"], row["deploymentId"]) == ("1", "sha256:1", "api__1")
    assert row["artifact"] == "datafactory/pricing/quotes/1/quotes-1.zip"
    (dev,) = [item for item in found["environments"] if item["name"] == "dev"]
    assert (dev["observed"], dev["reason"]) == (False, "The API server cannot be reached.")


def test_the_last_reading_is_kept_when_the_cluster_fails_later(run, cluster, session, monkeypatch):
    monkeypatch.setattr(readings, "FRESH_SECONDS", 0.0)
    cluster["dev"] = live()
    assert only(catalog.list_services())["observed"]
    cluster["dev"] = ClusterError("Away.")
    row = only(catalog.list_services())
    assert (row["state"], row["version"], row["observed"]) == ("unknown", "1", False)


def test_a_slow_cluster_delays_one_answer_and_not_the_next(run, cluster, session, monkeypatch):
    answers = Event()

    def slow(name: str, _: Any) -> Any:
        answers.wait(60)
        return live() if name == "dev" else {}

    monkeypatch.setattr(readings, "WAIT_SECONDS", 1.0)
    monkeypatch.setattr(catalog, "observer", observation.Observer(slow))
    begin = time.monotonic()
    found = catalog.list_services()
    assert time.monotonic() - begin >= 1.0
    assert found["items"] == []
    assert "not answered" in found["environments"][0]["reason"]
    begin = time.monotonic()
    catalog.list_services()
    assert time.monotonic() - begin < 1.0
    answers.set()
    until = time.monotonic() + 30
    while not catalog.list_services()["environments"][0]["observed"]:
        assert time.monotonic() < until
    assert only(catalog.list_services())["observed"]


def test_a_removed_service_is_shown_for_a_week_and_on_request(run, cluster, session):
    run("api__1", "success")
    run("api__2", "success", dag_id="remove_service")
    assert catalog.list_services()["items"] == []
    assert only(catalog.list_services(Filter(state="not deployed")))["version"] is None
    run("api__3", "success", dag_id="remove_service", at=datetime.now(UTC))
    row = only(catalog.list_services())
    assert (row["state"], row["lastResult"]["state"]) == ("not deployed", "removed")


def test_runs_are_found_after_the_first_reading_and_their_states_change(run, cluster, session):
    from airflow.models.dagrun import DagRun
    from sqlalchemy import update

    cluster["dev"] = live()
    assert only(catalog.list_services())["lastResult"] is None
    run("manual__1", "running")
    assert only(catalog.list_services())["lastResult"]["id"] == "manual__1"
    assert [row["lastResult"]["id"] for row in rows(result="running")] == ["manual__1"]
    session.execute(update(DagRun).values(state="success"))
    session.commit()
    assert rows(result="running") == []
    assert [row["lastResult"]["state"] for row in rows(result="succeeded")] == ["live"]


def test_a_run_that_is_cleared_and_runs_again_shows_its_new_state(run, cluster, session):
    cluster["dev"] = live()
    run("api__1", "failed", validate="failed")
    run("api__2", "running", conf={"serviceName": "other"})
    assert [row["lastResult"]["id"] for row in rows(result="failed")] == ["api__1"]
    for state, result in (("queued", "running"), ("running", "running"), ("success", "succeeded")):
        change(session, "api__1", state)
        assert rows(result="failed") == []
        (row,) = [row for row in rows(result=result) if row["serviceName"] == "quotes"]
        assert row["lastResult"]["id"] == "api__1"


def test_a_run_that_was_marked_after_its_end_is_found_later(run, cluster, session, monkeypatch):
    cluster["dev"] = live()
    run("api__1", "failed")
    run("api__2", "success", conf={"dryRun": True})
    assert len(rows(result="failed")) == 1
    change(session, "api__1", "success")
    monkeypatch.setattr(run_index, "_CHECK_SECONDS", 0.0)
    assert rows(result="failed") == []
    assert [row["lastResult"]["id"] for row in rows(result="succeeded")] == ["api__1"]


def test_a_deleted_run_disappears(run, cluster, session, monkeypatch):
    cluster["dev"] = live()
    run("api__1", "success")
    run("api__2", "running")
    assert only(catalog.list_services())["lastResult"]["id"] == "api__2"
    delete(session, "api__2")
    assert only(catalog.list_services())["lastResult"]["id"] == "api__1"
    monkeypatch.setattr(run_index, "_CHECK_SECONDS", 0.0)
    delete(session, "api__1")
    assert only(catalog.list_services())["lastResult"] is None


def change(session: Any, run_id: str, state: str) -> None:
    from airflow.models.dagrun import DagRun
    from sqlalchemy import update

    session.execute(update(DagRun).where(DagRun.run_id == run_id).values(state=state))
    session.commit()


def delete(session: Any, run_id: str) -> None:
    from airflow.models.dagrun import DagRun
    from sqlalchemy import delete

    session.execute(delete(DagRun).where(DagRun.run_id == run_id))
    session.commit()


def rows(**asked: Any) -> list[dict[str, Any]]:
    return catalog.list_services(Filter(**asked))["items"]


def test_rows_are_filtered_sorted_and_paged(run, cluster, session):
    cluster["dev"] = {
        **live(Place("pricing", "a", "dev"), version="1.10"),
        **live(Place("pricing", "b", "dev"), version="1.9", requested_by="grace"),
        **live(Place("orders", "c", "dev"), version="2", state="degraded"),
    }
    names = [row["serviceName"] for row in rows()]
    assert names == ["c", "a", "b"]
    assert [row["serviceName"] for row in rows(component="pricing")] == ["a", "b"]
    assert [row["serviceName"] for row in rows(text="GRACE")] == ["b"]
    assert [row["serviceName"] for row in rows(state="degraded")] == ["c"]
    assert rows(environment="prod") == []
    for order, expected in (("version", ["b", "a", "c"]), ("-version", ["c", "a", "b"])):
        cursor, seen = None, []
        while True:
            found = catalog.list_services(None, order, 1, cursor)  # type: ignore[arg-type]
            seen += [row["serviceName"] for row in found["items"]]
            assert found["total"] == 3
            cursor = found["next"]
            if cursor is None:
                break
        assert seen == expected
    with pytest.raises(ValueError, match="cursor"):
        catalog.list_services(None, "-version", 1, "x")


def test_one_service_is_read_with_its_manifest_in_each_environment(run, cluster, session):
    cluster["dev"] = live()
    found = catalog.read_service("pricing", "quotes")
    assert found is not None
    assert [item["environment"] for item in found["environments"]] == ["dev"]
    assert found["environments"][0]["manifest"] == {"port": 8002}
    assert catalog.read_service("pricing", "other") is None


def test_the_history_is_paged_and_counts_all_actions(run, cluster, session):
    run("api__1", "success", publish_route="success")
    run("api__2", "success", dag_id="restart_service", publish_route="success")
    run("api__3", "failed", conf={"serviceName": "other"})
    found = catalog.list_history("pricing", "quotes", limit=1)
    assert (only(found)["action"], found["total"], found["next"]) == ("restart", 2, "api__2")
    found = catalog.list_history("pricing", "quotes", limit=1, before=found["next"])
    assert (only(found)["id"], found["next"]) == ("api__1", None)
    with pytest.raises(ValueError, match="api__3"):
        catalog.list_history("pricing", "quotes", before="api__3")


def test_two_deployments_are_compared_without_secrets(run, cluster, session):
    run("api__1", "success", conf={"env": {"LEVEL": "1", "API_TOKEN": "a"}})
    run("api__2", "success", conf={"env": {"LEVEL": "2", "API_TOKEN": "b"}, "replicas": 3})
    found = catalog.read_difference("pricing", "quotes", "api__1", "api__2")
    assert found is not None
    assert found["manifest"] == [
        {"field": "env.API_TOKEN", "from": "***", "to": "***"},
        {"field": "env.LEVEL", "from": "1", "to": "2"},
        {"field": "replicas", "from": None, "to": 3},
    ]
    assert found["sameImage"] is None
    assert catalog.read_difference("pricing", "other", "api__1", "api__2") is None
