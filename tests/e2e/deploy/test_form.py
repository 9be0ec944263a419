"""The trigger form, filled in by a real browser."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from sandbox.airflow.deploy import follow, upload
from sandbox.machine.programs import CHROMIUM

expect.set_options(timeout=30_000)  # other deployments may slow a page down
_QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture
def page(environment: dict[str, str]) -> Iterator[Page]:
    """Airflow's pages in Chromium, logged in."""
    chromium = next(filter(None, map(shutil.which, CHROMIUM)), None)
    assert chromium, "there is no chromium; `make up` installs it"
    with sync_playwright() as player:
        browser = player.chromium.launch(executable_path=chromium, args=_QUIET)
        page = browser.new_page(viewport={"width": 1400, "height": 1600})
        page.set_default_timeout(30_000)
        page.goto(environment["AIRFLOW_URL"])
        page.fill("input[name=username]", environment["AIRFLOW_USER"])
        page.fill("input[name=password]", environment["AIRFLOW_PASSWORD"])
        page.click("button[type=submit]")
        page.wait_for_url(lambda url: "/auth/" not in url)
        yield page
        browser.close()


def open_form(page: Page, environment: dict[str, str]) -> None:
    page.goto(f"{environment['AIRFLOW_URL']}/dags/deploy_service")
    page.get_by_role("button", name="Trigger").first.click()
    expect(page.get_by_role("dialog")).to_be_visible()


def test_the_form_starts_a_deployment_that_goes_live(page, environment, service, api):
    plain = service("plain-service")
    name = plain.manifest["serviceName"]
    upload(plain.zip(), f"datafactory/e2e/{name}/1.0.0/{name}-1.0.0.zip")
    open_form(page, environment)
    dialog = page.get_by_role("dialog")
    trigger = dialog.get_by_role("button", name="Trigger")
    expect(trigger).to_be_disabled()

    dialog.locator("[name=element_component]").fill("e2e")
    dialog.locator("[name=element_serviceName]").fill(name)
    dialog.locator("[name=element_version]").fill("1.0.0")
    dialog.locator("[id=element_environment]").click()
    page.get_by_role("option", name="dev: Sandbox on this machine").click()
    expect(trigger).to_be_enabled()
    trigger.click()
    expect(dialog).not_to_be_visible()

    run_id = newest_run(api, name)
    outcome = follow(api, run_id)
    assert outcome.ok, outcome.error
    assert outcome.url is not None
    assert outcome.url.endswith(f"/datafactory/e2e/{name}")


def test_only_four_fields_are_required(page, environment):
    open_form(page, environment)
    dialog = page.get_by_role("dialog")
    for section in ("Artifact source", "Runtime", "Checks and route", "Owner and notes"):
        dialog.get_by_role("button", name=section).click()
    expect(dialog.get_by_text("The reason for this deployment")).to_be_visible()
    expect(dialog.get_by_text("This field is required")).to_have_count(4)
    expect(dialog.get_by_text("*", exact=True)).to_have_count(4)


def newest_run(api, name):
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        runs = api.get("dags/deploy_service/dagRuns?limit=20&order_by=-run_after")["dag_runs"]
        for run in runs:
            if run["conf"].get("serviceName") == name:
                return run["dag_run_id"]
        time.sleep(0.2)
    raise AssertionError(f"no run of {name} was started")
