from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from manifest_engine.api.pages import services_page
from manifest_engine.domain.record.history import Place
from manifest_engine.domain.record.live import Live

DIGEST = "sha256:" + "ab12" * 16


def live(environment: str, version: str, service: str = "quotes", **more: Any) -> Live:
    place = Place("pricing", service, environment)
    values = {"state": "running", "version": version, "digest": DIGEST, "desired": 2, "ready": 2}
    values |= {"artifact": "a.zip", "artifact_sha256": None, "run_id": "api__1", "bases": {}}
    values |= {"since": "2026-01-02T03:04:05+00:00", "requested_by": "grace", "manifest": {}}
    return Live(place, **(values | more))


def deploy(cluster: dict[str, Any], *items: Live) -> None:
    for item in items:
        cluster.setdefault(item.place.environment, {})[item.place] = item


def test_a_new_installation_shows_the_next_step(see):
    text = see("/")
    assert "Nothing is deployed yet" in text
    assert 'href="/ui/deploy"' in text


def test_the_table_shows_the_live_releases(see, cluster):
    deploy(cluster, live("dev", "1.4.0", state="degraded", ready=1))
    text = see("/")
    for shown in ("1.4.0", "ab12ab12ab12", "degraded", "1 of 2 ready", "grace"):
        assert shown in text
    assert 'href="/ui/services/pricing/quotes"' in text
    assert 'hx-trigger="every 5s"' in text


def test_a_failed_deployment_is_linked_with_its_error(see, cluster, run):
    deploy(cluster, live("dev", "1.4.0"))
    run("api__9", "failed", {("validate", "error"): "No <such> field."}, validate="failed")
    text = see("/table")
    assert 'href="/ui/deployments/api__9"' in text
    assert "No &lt;such&gt; field." in text


def test_the_table_shows_no_log_lines_of_a_failure(see, run):
    error = "It crashed. The service's last log lines:\nKeyError: 'URL'"
    run("api__9", "failed", {("validate", "error"): error}, validate="failed", at=datetime.now(UTC))
    assert ">It crashed</span>" in see("/table")


def test_a_filter_without_matches_offers_all_services(see, cluster):
    deploy(cluster, live("dev", "1.4.0"))
    assert "No service fits." in see("/?text=nothing")
    assert "1.4.0" in see("/?text=quot&environment=dev")


def test_only_the_filter_changes_the_address(browser, cluster):
    path = "/ui/table?text=quotes&state=&sort=service"
    by_filter = browser.get(path, headers={"HX-Trigger": "filter"})
    assert by_filter.headers["hx-replace-url"] == "/ui/?text=quotes"
    assert "hx-replace-url" not in browser.get(path, headers={"HX-Trigger": "table"}).headers


def test_a_column_sorts_in_both_directions(see, cluster):
    deploy(cluster, live("dev", "1.9.0", "b"), live("dev", "1.10.0", "a"))
    text = see("/?sort=version")
    assert text.index("1.9.0") < text.index("1.10.0")
    assert 'aria-sort="ascending"><a href="/ui/?sort=-version"' in text


def test_a_cluster_that_does_not_answer_is_named(see, cluster):
    cluster["dev"] = RuntimeError("secret address")
    text = see("/")
    assert "dev did not answer" in text
    assert "secret address" not in text


def test_the_matrix_marks_versions_that_differ_from_the_environment_before():
    item = {"component": "pricing", "serviceName": "quotes"}
    items = [
        item | {"environment": "dev", "version": "1.4.0"},
        item | {"environment": "prod", "version": "1.3.0"},
    ]
    (row,) = services_page._matrix(items, ["dev", "test", "prod"])
    assert [cell["differs"] for cell in row["cells"]] == ["", "", "dev has 1.4.0"]
    assert [bool(cell["item"]) for cell in row["cells"]] == [True, False, True]


def test_the_matrix_has_a_column_for_each_environment(see, cluster):
    deploy(cluster, live("dev", "1.4.0"))
    text = see("/?view=matrix")
    assert '<th scope="col">dev</th>' in text
    assert "<strong>1.4.0</strong>" in text


@pytest.mark.parametrize("query", ["cursor=xx", "sort=color", "view=map"])
def test_an_invalid_address_gets_an_error_page(browser, query):
    answer = browser.get(f"/ui/?{query}")
    assert answer.status_code == 422
    assert answer.headers["content-type"].startswith("text/html")
