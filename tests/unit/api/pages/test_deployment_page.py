from __future__ import annotations

import json

import pytest
from manifest_engine.api import airflow_internals

URL = "https://dev.example.com/datafactory/pricing/quotes"


def test_the_page_of_a_running_deployment_is_refreshed(see, run):
    run("api__1", "running", validate="success", build_image="running")
    text = see("/deployments/api__1")
    assert "<title>running · quotes 1 → dev</title>" in text
    assert 'hx-get="/ui/deployments/api__1/state" hx-trigger="every 1s"' in text
    assert 'hx-post="/api/v1/deployments/api__1/cancel"' in text


def test_a_live_deployment_shows_its_url_and_follows_the_last_steps(see, run):
    found = {("publish_route", "return_value"): {"url": URL}}
    done = {"validate": "success", "publish_route": "success"}
    run("api__1", "success", found, **done)
    text = see("/deployments/api__1/state")
    assert f'href="{URL}"' in text
    assert "every 1s" in text
    assert "/cancel" not in text


def test_a_run_that_has_ended_is_not_asked_for_again(see, run):
    run("api__1", "success", ended=True, validate="success", publish_route="success")
    assert "every 1s" not in see("/deployments/api__1/state")


def test_the_error_is_escaped_and_shown_with_its_step(see, run):
    error = "No <script>alert(1)</script> in src/requirements.txt."
    run("api__1", "failed", {("build_image", "error"): error}, build_image="failed")
    text = see("/deployments/api__1")
    assert "Build the image <code>build_image</code> failed" in text
    assert "No &lt;script&gt;alert(1)&lt;/script&gt; in src/requirements.txt." in text
    assert "<script>alert" not in text


def test_the_lines_that_a_sentence_quotes_stand_below_it(see, run):
    error = "It crashed. The service's last log lines:\n  File <x>\nKeyError: 'URL'"
    run("api__1", "failed", {("smoke_test", "error"): error}, smoke_test="failed")
    text = see("/deployments/api__1")
    assert '<p class="sentence">It crashed. The service&#39;s last log lines:</p>' in text
    assert '<pre tabindex="0">  File &lt;x&gt;\nKeyError: &#39;URL&#39;</pre>' in text


def test_the_page_has_buttons_for_an_approval(see, run):
    run("api__1", "running", push_image="success", approve="awaiting_input")
    text = see("/deployments/api__1")
    assert 'hx-post="/api/v1/deployments/api__1/approve"' in text
    assert 'hx-post="/api/v1/deployments/api__1/reject"' in text


def test_a_dry_run_shows_each_field_that_would_change(see, run):
    field = {"field": "spec.replicas", "before": "2", "after": "3"}
    label = {"field": "spec.template.metadata.labels[x]", "before": "a", "after": "b"}
    fields = [label, field]
    change = {"kind": "Deployment", "name": "quotes", "action": "change", "fields": fields}
    run("api__1", "success", {("validate", "dry_run"): [change]}, validate="success")
    text = see("/deployments/api__1")
    assert "Deployment quotes" in text
    spec, _, metadata = text.partition("Labels and annotations (1)")
    assert '<td class="before">2</td><td class="after">3</td>' in spec
    assert '<td class="before">a</td><td class="after">b</td>' in metadata


@pytest.mark.parametrize(
    ("states", "step"),
    [
        ({"validate": "success", "build_image": "failed", "push_image": "success"}, "build_image"),
        ({"validate": "success", "build_image": "running"}, "build_image"),
        ({"record_release": "success", "describe_image": "success"}, "record_release"),
    ],
)
def test_the_log_is_that_of_the_failed_or_running_or_last_step(see, run, monkeypatch, states, step):
    lines = [
        {"timestamp": "2026-01-02T03:04:05Z", "level": "info", "event": f"line {at}"}
        for at in range(400)
    ]
    asked = []

    def log_lines(_: str, name: str):
        asked.append(name)
        return map(json.dumps, lines)

    monkeypatch.setattr(airflow_internals, "log_lines", log_lines)
    run("api__1", "failed", **states)
    text = see("/deployments/api__1/log")
    assert asked == [step]
    assert "03:04:05  line 399\n" in text
    assert "line 99\n" not in text


def test_a_missing_deployment_gets_a_page_with_an_error(browser):
    answer = browser.get("/ui/deployments/none")
    assert answer.status_code == 404
    assert "There is no deployment with this id." in answer.text
    assert answer.headers["content-type"].startswith("text/html")
