"""The pages Overview and Audit, and the request for an approval."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from manifest_engine.api import catalog
from manifest_engine.api.pages import audit_page

from tests.unit.api.pages.test_services_page import deploy, live

NOW = datetime.now(UTC)


@pytest.fixture
def question(session: Any) -> Any:
    """Adds the question of a run that waits for its approval."""
    from airflow.models.hitl import HITLDetail
    from airflow.models.taskinstance import TaskInstance
    from sqlalchemy import insert, select

    def add(run_id: str, body: str, assignees: Any = None) -> None:
        task = session.scalar(
            select(TaskInstance.id).where(
                TaskInstance.run_id == run_id, TaskInstance.task_id == "approve"
            )
        )
        values = {"ti_id": task, "subject": "Deploy quotes?", "body": body, "params": {}}
        values |= {"options": ["Approve", "Reject"], "assignees": assignees}
        session.execute(insert(HITLDetail).values(**values, created_at=NOW))
        session.commit()

    return add


def test_the_question_is_shown_with_its_table_and_without_its_html(see, run, question):
    run("api__1", "running", push_image="success", approve="awaiting_input")
    body = "| | live | after |\n|---|---|---|\n| version | `1` | `2` |\n\n<b>bold</b>"
    question("api__1", body, [{"id": "grace", "name": "grace"}])
    text = see("/deployments/api__1")
    assert "Deploy quotes?" in text
    assert "grace may answer." in text
    assert "<td><code>2</code></td>" in text
    assert "&lt;b&gt;bold" in text


def test_the_overview_counts_deployments_and_lists_waiting_approvals(see, run):
    run("api__1", "success", at=NOW, publish_route="success")
    run("api__2", "failed", at=NOW, build_image="failed")
    run("api__3", "running", at=NOW, approve="awaiting_input")
    text = see("/overview")
    assert "<dd>50 %</dd>" in text
    assert "Waiting for an approval" in text
    assert 'href="/ui/deployments/api__3"' in text
    assert "Build the image <code>build_image</code>" in text
    assert "<svg" in text


def test_an_overview_without_deployments_shows_the_next_step(see):
    text = see("/overview?days=7")
    assert "Nothing was deployed in this time." in text
    assert 'href="/ui/deploy"' in text
    assert "No nightly run yet." in text


def test_services_on_an_outdated_base_image_are_listed(see, cluster, monkeypatch):
    base = "docker.io/library/python:3.11"
    monkeypatch.setattr(catalog, "_known_bases", lambda: [{base: ["sha256:new"]}])
    old, new = ({base: f"sha256:{name}"} for name in ("old", "new"))
    deploy(cluster, live("dev", "1.4.0", bases=old), live("dev", "1.0.0", "other", bases=new))
    text = see("/overview").partition("On an outdated base image")[2]
    assert 'href="/ui/services/pricing/quotes"' in text
    assert "other" not in text


def test_the_last_nightly_run_is_shown(see, run):
    row = {"service": "pricing-quotes", "environment": "dev", "outcome": "rebuilt"}
    more = {"dag_id": "rebuild_services", "at": NOW}
    run("night", "success", {("summarise", "table"): {"rows": [row]}}, **more)
    text = see("/overview")
    assert 'href="/dags/rebuild_services/runs/night"' in text
    assert "pricing-quotes" in text


def test_the_audit_is_filtered(see, run):
    run("api__1", "success", publish_route="success")
    run("api__2", "failed", conf={"environment": "prod"}, validate="failed")
    both = see("/audit")
    assert both.index("/deployments/api__2") < both.index("/deployments/api__1")
    assert "/deployments/api__1" not in see("/audit?environment=prod")
    assert "No entry fits." in see("/audit?by=nobody")


def test_the_audit_is_paged(see, run, monkeypatch):
    monkeypatch.setattr(audit_page, "ROWS_MAX", 2)
    for at in range(3):
        run(f"api__{at}", "failed", validate="failed")
    text = see("/audit?by=ada")
    assert "skip=2" in text
    assert "/deployments/api__0" in see("/audit?by=ada&skip=2")


def test_the_audit_is_exported(browser, run):
    run("api__1", "failed", {("validate", "error"): "=cmd|' /C'"}, validate="failed")
    answer = browser.get("/ui/audit.ndjson")
    assert answer.headers["content-disposition"] == 'attachment; filename="audit.ndjson"'
    (line,) = answer.text.splitlines()
    assert json.loads(line)["error"] == "=cmd|' /C'"
    head, row = csv.reader(io.StringIO(browser.get("/ui/audit.csv").text))
    assert dict(zip(head, row, strict=True))["error"] == "'=cmd|' /C'"
    assert browser.get("/ui/audit.xml").status_code == 422
