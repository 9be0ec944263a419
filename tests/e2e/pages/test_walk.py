"""The pages as people who ship services use them: deployer, approver and viewer in Chromium.

The fixtures take the walk: a release, a broken version, and its repair. Each test looks at a part
of the way, so the tests share three deployments.
"""

from __future__ import annotations

import csv
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from kubernetes import client
from playwright.sync_api import Browser, Page, expect

from sandbox.airflow.deploy import upload
from sandbox.core.settings import SETTINGS
from tests.e2e.browser import NARROW, WIDE, Visitor, chromium, overflow, serious_faults
from tests.e2e.conftest import SESSION, Service, remove

NAME = f"walk-{SESSION}"
PAGE = f"/services/e2e/{NAME}"
CRASH = {"src/aiservice.py": b"import os\n\nDATABASE = os.environ['DATABASE_URL']\n"}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as opened:
        yield opened


@pytest.fixture(scope="module")
def plain(cluster: client.ApiClient, environment: dict[str, str]) -> Iterator[Service]:
    """A service with three versions in Artifactory, of which the second crashes."""
    made = Service("plain-service", NAME)
    publish(made, "1.0.0")
    publish(made, "1.1.0", CRASH)
    publish(made, "1.2.0", made.source("plain-service", "repaired"))
    yield made
    remove(cluster, environment["NAMESPACE"], made.object_name)


def publish(service: Service, version: str, changes: dict[str, bytes] | None = None) -> None:
    name = service.manifest["serviceName"]
    upload(service.zip(changes), f"datafactory/e2e/{name}/{version}/{name}-{version}.zip")


@pytest.fixture(scope="module")
def deployer(browser: Browser) -> Visitor:
    visitor = Visitor(browser, "deployer")
    visitor.log_in("/manifest-engine/ui/?text=nothing-has-this-name")
    return visitor


@pytest.fixture(scope="module")
def viewer(browser: Browser) -> Visitor:
    visitor = Visitor(browser, "viewer")
    visitor.log_in("/manifest-engine/ui/audit")
    return visitor


@pytest.fixture(scope="module")
def first(deployer: Visitor, plain: Service) -> str:
    """Deploys by the form, after a look at the changes; the id of the deployment."""
    page = deployer.open("/deploy")
    deployer.fill_in(component="e2e", serviceName=NAME, version="1.0.0", environment="dev")
    deployer.look_first()
    expect(page.get_by_text(f"Deployment e2e-{NAME}")).to_be_visible()
    page.get_by_role("button", name=f"Deploy {NAME} 1.0.0 to dev").click()
    expect(page.locator("#log pre")).to_be_visible()
    return deployer.follow("live")


@pytest.fixture(scope="module")
def broken(deployer: Visitor, first: str) -> str:
    """Deploys a version that crashes, from the page of the service."""
    page = deployer.open(PAGE)
    page.get_by_role("link", name="Redeploy").click()
    expect(
        page.get_by_text("Filled in with the settings of the live release in dev.")
    ).to_be_visible()
    deployer.fill_in(version="1.1.0")
    page.get_by_role("button", name="Deploy without a look").click()
    return deployer.follow("failed")


@pytest.fixture(scope="module")
def repaired(deployer: Visitor, broken: str) -> str:
    """Changes the failed deployment and deploys again."""
    page = deployer.open(f"/deployments/{broken}")
    page.get_by_role("link", name="Change and deploy again").click()
    deployer.fill_in(version="1.2.0")
    page.get_by_role("button", name="Deploy without a look").click()
    return deployer.follow("live")


def test_the_log_in_leads_to_the_page_that_was_asked_for(deployer):
    expect(deployer.page.get_by_text("No service fits.")).to_be_visible()
    expect(deployer.page.get_by_label("Search")).to_have_value("nothing-has-this-name")


def test_the_deployment_ends_with_the_url_that_answers(deployer, first):
    page = deployer.open(f"/deployments/{first}")
    url = page.get_by_role("region", name="Result").get_by_role("link").inner_text()
    assert url.endswith(f"/datafactory/e2e/{NAME}")
    assert requests.get(url, timeout=10).json() in (answer("plain-service"), answer("repaired"))
    expect(page.locator(".steps .good")).to_have_count(10)


def answer(name: str) -> dict[str, str]:
    return {"service": name, "status": "ok"}


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_airflows_navigation_shows_the_table_in_airflows_theme(deployer, first, theme):
    page = deployer.page
    page.goto(deployer.airflow.url)
    page.evaluate(f"localStorage.setItem('theme', '{theme}')")
    page.goto(f"{deployer.airflow.url}/plugin/services/manifest-engine/ui/?text={NAME}")
    frame = page.frame_locator("iframe")
    expect(frame.get_by_role("row").filter(has_text=NAME)).to_be_visible()
    expect(frame.locator("html")).to_have_attribute("data-theme", theme)
    page.evaluate("localStorage.removeItem('theme')")


def test_a_failure_shows_its_step_and_the_services_last_lines(deployer, broken):
    page = deployer.open(f"/deployments/{broken}")
    error = page.get_by_role("region", name="Error")
    expect(error).to_contain_text("smoke_test")
    expect(error).to_contain_text("KeyError: 'DATABASE_URL'")
    expect(page.locator("#log h2")).to_have_text("Log of smoke_test")


def test_the_pods_and_the_last_log_lines_are_shown(viewer, repaired):
    page = viewer.open(PAGE)
    pods = page.get_by_role("region", name="Pods in dev")
    expect(pods.locator(".badge.good")).to_have_text(["✓ ready"] * 2)
    expect(pods.get_by_text(re.compile(r"^(Last log lines of|No log line of) "))).to_be_visible()


def test_two_deployments_are_compared(deployer, first, repaired):
    page = deployer.open(f"/deployments/{repaired}")
    expect(page.locator(".steps .good")).to_have_count(10)  # the image is described
    page = deployer.open(PAGE)
    row(page, first).locator("input[name=from]").check()
    row(page, repaired).locator("input[name=to]").check()
    page.get_by_role("button", name="Compare").click()
    found = page.get_by_role("region", name="Difference")
    expect(found.get_by_role("heading", name="From 1.0.0 to 1.2.0")).to_be_visible()
    expect(found.get_by_text("another image")).to_be_visible()
    packages = found.get_by_text("The two images have the same packages.")
    until = time.monotonic() + 30
    while not packages.is_visible():  # the registry may take longer than the page waits
        assert time.monotonic() < until, found.inner_text()
        with page.expect_response(re.compile("/difference")):
            page.get_by_role("button", name="Compare").click()
        page.wait_for_timeout(300)
    cells = found.get_by_role("row").filter(has_text="version").get_by_role("cell")
    expect(cells).to_have_text(["1.0.0", "1.2.0"])


def row(page: Page, run_id: str) -> object:
    return page.locator("#history tr").filter(has=page.locator(f"a[href$='/{run_id}']"))


def test_a_restart_asks_first_and_back_changes_nothing(deployer, repaired):
    page = deployer.open(PAGE)
    page.get_by_role("button", name="Restart …").click()
    expect(page.get_by_role("dialog")).to_contain_text(f"Restart {NAME} in dev?")
    page.get_by_role("dialog").get_by_role("button", name="Back").click()
    expect(page.get_by_role("dialog")).not_to_be_visible()
    assert page.url.endswith(PAGE)


def test_a_rollback_shows_what_it_returns_to_before_it_acts(deployer, repaired):
    page = deployer.open(PAGE)
    page.get_by_role("button", name="Roll back …").click()
    expect(page.get_by_role("heading", name="Back to 1.0.0")).to_be_visible()
    page.get_by_role("button", name=f"Roll {NAME} in dev back to 1.0.0").click()
    deployer.follow("live")
    url = page.get_by_role("region", name="Result").get_by_role("link").inner_text()
    assert requests.get(url, timeout=10).json() == answer("plain-service")


def test_another_user_approves(browser, deployer, cluster):
    name = f"asks-{SESSION}"
    service = Service("plain-service", name)
    publish(service, "1.0.0")
    page = deployer.open("/deploy")
    values = {"component": "e2e", "serviceName": name, "version": "1.0.0"}
    deployer.fill_in(**values, environment="prod")
    page.get_by_role("button", name="Deploy without a look").click()
    expect(page.get_by_text("admin may answer.")).to_be_visible(timeout=120_000)
    page.get_by_role("button", name="Approve", exact=True).click()
    expect(page.get_by_role("alert")).not_to_be_empty()  # the deployer may not

    approver = Visitor(browser, "admin")
    approver.log_in(page.url.removeprefix(deployer.airflow.url))
    approver.page.get_by_text("What changes").click()
    expect(approver.page.get_by_text(f"Deployment e2e-{name}").first).to_be_visible()
    approver.page.get_by_role("button", name="Approve", exact=True).click()
    try:
        deployer.follow("live")
        expect(page.get_by_text("Approved by")).to_be_visible()
    finally:
        remove(cluster, SETTINGS.approved_namespace, service.object_name)


def test_a_viewer_sees_everything_and_can_change_nothing(viewer, repaired):
    page = viewer.open(PAGE)
    expect(page.get_by_role("region", name="dev", exact=True)).to_contain_text("pods ready")
    expect(page.locator("[data-post]")).to_have_count(0)
    expect(page.get_by_role("link", name="Redeploy")).to_have_count(0)
    page = viewer.open("/deploy")
    expect(page.get_by_text("Airflow does not allow you to see this page.")).to_be_visible()


PAGES = (
    "/",
    "/?view=matrix",
    "/deploy",
    "service",
    "live",
    "failed",
    "/overview",
    "/audit",
    "/none",
)


@pytest.mark.parametrize("path", PAGES)
def test_a_page_has_no_serious_fault_in_both_themes_and_widths(
    deployer, first, broken, repaired, path
):
    named = {
        "service": PAGE,
        "live": f"/deployments/{first}",
        "failed": f"/deployments/{broken}",
    }
    page = deployer.open(named.get(path, path))
    page.wait_for_load_state("networkidle")
    for size, theme in ((WIDE, "light"), (WIDE, "dark"), (NARROW, "dark"), (NARROW, "light")):
        page.set_viewport_size(size)
        page.emulate_media(color_scheme=theme)
        expect(page.locator("html")).to_have_attribute("data-theme", theme)
        assert serious_faults(page) == [], (size, theme)
        assert overflow(page) <= 0, (size, theme)
    page.set_viewport_size(WIDE)
    page.emulate_media(color_scheme="light")


def test_a_page_can_be_used_by_keyboard(deployer, first):
    page = deployer.open(f"/?text={NAME}")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    page.get_by_label("Search").focus()
    for _ in range(20):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent").endswith(f"e2e/{NAME}"):
            break
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text(f"e2e/{NAME}")


def test_a_removal_says_what_it_does_before_it_acts(deployer, repaired):
    page = deployer.open(PAGE)
    page.get_by_role("button", name="Remove …").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("stops answering")
    url = page.get_by_role("region", name="dev", exact=True).locator("a[href^=http]").inner_text()
    dialog.get_by_role("button", name="Yes").click()
    deployer.follow("removed")
    assert requests.get(url, timeout=10).status_code == 404


def test_the_audit_is_exported_as_a_viewer(viewer, first, tmp_path: Path):
    page = viewer.open("/audit")
    page.get_by_label("Service").fill(NAME)
    link = page.get_by_role("link", name="CSV")
    expect(link).to_have_attribute("href", re.compile(f"service={NAME}&"))
    with page.expect_download() as begun:
        link.click()
    file = tmp_path / "audit.csv"
    begun.value.save_as(file)
    rows = list(csv.DictReader(file.open()))
    assert {line["serviceName"] for line in rows} == {NAME}
    assert {line["requestedBy"] for line in rows} == {"deployer"}
    assert first in {line["id"] for line in rows}
