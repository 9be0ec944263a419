"""The trigger form, filled in by a real browser."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from sandbox.airflow.deploy import follow, upload
from tests.e2e.browser import Visitor, chromium


@pytest.fixture
def page(environment: dict[str, str]) -> Iterator[Page]:
    """Airflow's pages in Chromium, logged in."""
    with chromium() as browser:
        visitor = Visitor(browser, "admin", viewport={"width": 1400, "height": 1600})
        visitor.log_in()
        yield visitor.page


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
