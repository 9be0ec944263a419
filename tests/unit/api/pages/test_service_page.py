from __future__ import annotations

import html
import json
import re

import pytest
from manifest_engine.api import catalog, packages, pods
from manifest_engine.api.pages import charts
from manifest_engine.domain.core.errors import ClusterError, RegistryError
from manifest_engine.services.record.readings import Readings

from tests.unit.api.conftest import CONF
from tests.unit.api.pages.test_services_page import deploy, live

PATH = "/services/pricing/quotes"
LIVE = ("validate", "build_image", "smoke_test", "apply_deployment", "publish_route")


@pytest.fixture(autouse=True)
def _allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalog, "allowed", lambda *_: ["deploy", "rollback", "restart", "remove"])


def test_the_release_of_each_environment_has_its_buttons(see, cluster):
    deploy(cluster, live("dev", "1.4.0"))
    text = html.unescape(see(PATH))
    assert 'data-post="/api/v1/services/pricing/quotes/rollback"' in text
    assert 'data-body="{"environment": "dev", "dryRun": true}"' in text
    assert 'data-post="/api/v1/services/pricing/quotes/restart"' in text
    assert 'data-post="/api/v1/services/pricing/quotes?environment=dev"' in text
    assert "Its images stay" in text


def test_a_viewer_sees_no_button(see, cluster, monkeypatch):
    monkeypatch.setattr(catalog, "allowed", lambda *_: [])
    deploy(cluster, live("dev", "1.4.0"))
    assert "data-post" not in see(PATH)


def test_an_unknown_service_gets_a_page_with_an_error(browser):
    answer = browser.get(f"/ui{PATH}")
    assert answer.status_code == 404
    assert "No environment has or had the service pricing/quotes." in answer.text


@pytest.fixture
def in_cluster(monkeypatch):
    """What a reading of the service's pods returns or raises."""
    found = {"pods": [], "logOf": None, "log": ""}

    def read(*_):
        if "error" in found:
            raise found["error"]
        return dict(found)

    monkeypatch.setattr(pods, "read", read)
    monkeypatch.setattr(pods, "readings", Readings("The cluster", most=5))
    return found


def pod(name="quotes-1", **more):
    since = "2026-01-02T03:04:05Z"
    facts = {"ready": True, "state": "ready", "restarts": 0, "since": since, "digest": None}
    return {"name": name, **facts, **more}


def test_the_pods_and_the_last_log_lines_are_shown(see, cluster, in_cluster):
    deploy(cluster, live("dev", "1.4.0"))
    crashed = pod("quotes-2", ready=False, state="crashes: <b>", restarts=7)
    in_cluster |= {"pods": [crashed, pod()], "logOf": "quotes-2", "log": "KeyError: '<x>'"}
    assert 'hx-get="/ui/services/pricing/quotes/pods" hx-trigger="load"' in see(PATH)
    text = see(f"{PATH}/pods")
    assert "crashes: &lt;b&gt;" in text
    assert '<td data-label="Restarts">7</td>' in text
    assert "KeyError: &#39;&lt;x&gt;&#39;" in text


def test_pods_that_have_not_changed_are_not_sent_again(browser, cluster, in_cluster):
    deploy(cluster, live("dev", "1.4.0"))
    in_cluster["pods"] = [pod()]
    first = browser.get(f"/ui{PATH}/pods")
    (again,) = re.findall(r'hx-get="([^"]*)" hx-trigger="every 5s"', first.text)
    answers = {browser.get(again).status_code for _ in range(2)}
    assert 204 in answers  # the other answer is 200 when a minute ends


def test_pods_of_a_cluster_that_is_away_are_a_sentence(see, cluster, in_cluster):
    deploy(cluster, live("dev", "1.4.0"))
    in_cluster["error"] = ClusterError("The API server does not answer.")
    assert "The API server does not answer." in see(f"{PATH}/pods")
    assert "is not deployed, so it has no pods" in see("/services/pricing/nothing/pods")


def test_a_dry_run_is_not_chosen_for_the_comparison(see, run):
    for at in range(2):
        run(f"api__{at}", "failed", validate="failed")
    run("api__dry", "success", conf={"dryRun": True}, validate="success")
    text = see(PATH)
    assert re.search(r'name="to" value="api__1" checked', text)
    assert re.search(r'name="from" value="api__0" checked', text)


def test_the_history_shows_each_deployment_with_its_error(see, run):
    run("api__1", "success", **dict.fromkeys(LIVE, "success"))
    run("api__2", "failed", {("validate", "error"): "No <b>."}, validate="failed")
    text = see(PATH)
    assert text.index("/deployments/api__2") < text.index("/deployments/api__1")
    assert "No &lt;b&gt;." in text
    assert re.search(r'name="to" value="api__2" checked', text)
    assert re.search(r'name="from" value="api__1" checked', text)


def test_a_long_history_has_a_button_for_more(see, run):
    for at in range(22):
        run(f"api__{at}", "failed", validate="failed")
    path = f"/ui{PATH}/history?environment=&before=api__2"
    for part in (PATH, f"{PATH}/history"):
        text = html.unescape(see(part))
        assert f'hx-get="{path}"' in text
    rest = see(path.removeprefix("/ui"))
    assert "/deployments/api__0" in rest
    assert "<table" not in rest


def test_two_deployments_are_compared_field_by_field(see, browser, run):
    for at, level in enumerate(("info", "debug")):
        manifest = CONF | {"env": {"LEVEL": level}}
        run(f"api__{at}", "success", {("validate", "return_value"): {"manifest": manifest}})
    text = see(f"{PATH}/difference?from=api__0&to=api__1")
    assert (
        '<th scope="row">env.LEVEL</th><td class="before">info</td><td class="after">debug' in text
    )
    assert browser.get(f"/ui{PATH}/difference?from=api__0").status_code == 422


@pytest.fixture
def in_registry(monkeypatch):
    """The packages of each image, by the last digit of its digest; an exception is raised."""
    found = {}

    def read(_, component, service_name, digest):
        assert (component, service_name) == ("pricing", "quotes")
        if isinstance(found[digest[-1]], Exception):
            raise found[digest[-1]]
        return found[digest[-1]]

    monkeypatch.setattr(packages, "read", read)
    monkeypatch.setattr(packages, "readings", Readings("The registry", most=5))
    return found


@pytest.fixture
def two_images(run):
    for at in range(2):
        pushed = {"digest": f"sha256:{at:064}"}
        run(f"api__{at}", "success", {("push_image", "return_value"): pushed})


def test_the_packages_of_two_images_are_compared(see, two_images, in_registry):
    in_registry |= {"0": {"pypi/flask": "3.0", "pypi/six": "1"}, "1": {"pypi/flask": "<3.1>"}}
    text = see(f"{PATH}/difference?from=api__0&to=api__1")
    row = '<th scope="row">{}</th><td class="before">{}</td><td class="after">{}</td>'
    assert row.format("pypi/flask", "3.0", "&lt;3.1&gt;") in text
    assert row.format("pypi/six", "1", "(none)") in text


def test_images_without_a_difference_in_packages_say_so(see, two_images, in_registry):
    in_registry |= {"0": {"pypi/flask": "3.0"}, "1": {"pypi/flask": "3.0"}}
    text = see(f"{PATH}/difference?from=api__0&to=api__1")
    assert "The two images have the same packages." in text


def test_packages_that_cannot_be_read_are_a_sentence(see, two_images, in_registry):
    in_registry |= {"0": {}, "1": RegistryError("It has no bill of materials.")}
    text = see(f"{PATH}/difference?from=api__0&to=api__1")
    assert "cannot be compared. It has no bill of materials." in text


def test_the_chart_has_a_table_of_its_numbers(see, run):
    run("api__1", "success", **dict.fromkeys(LIVE, "success"))
    text = see(PATH)
    assert "<svg" in text
    assert '<th scope="col">Smoke test</th>' in text


def test_heights_of_bars_are_relative_to_the_highest_bar():
    made = charts.stacked([charts.Bar("a", (1, 1)), charts.Bar("b", (4, 0))])
    shown = [(item["title"], item["y"], item["height"]) for item in made["rectangles"]]
    assert shown == [("a", 135, 45), ("a", 90, 45), ("b", 0, 180)]
    assert charts.stacked([])["rectangles"] == []


def test_the_preview_of_a_rollback_names_the_release(see, run):
    found = {
        ("validate_rollback", "return_value"): {"manifest": CONF | {"version": "0.9"}},
        ("validate_rollback", "dry_run"): [],
        ("validate_rollback", "choices"): ["0.9, kept"],
    }
    more = {"dag_id": "rollback_service", "conf": {"dryRun": True}}
    run("api__1", "success", found, **more, validate_rollback="success")
    text = see("/previews/api__1")
    assert "Roll quotes in dev back to 0.9" in text
    assert "0.9, kept" in text
    (body,) = re.findall(r'data-body="([^"]*)"', text)
    assert json.loads(html.unescape(body)) == {"version": "1", "environment": "dev"}
