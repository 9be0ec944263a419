"""Airflow's pages and ours in a real Chromium, as the users of the sandbox see them."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from manifest_engine.domain.record import deployment
from playwright.sync_api import Browser, Page, expect, sync_playwright

from sandbox.airflow.airflow import Airflow
from sandbox.machine.programs import CHROMIUM

WIDE, NARROW = {"width": 1400, "height": 1000}, {"width": 400, "height": 800}
_ANSWER_MS = 30_000  # other deployments may slow a page down
_END_MS = 240_000
"""How long a deployment may take; a failure ends it earlier."""
_QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
_SERIOUS = ("serious", "critical")
expect.set_options(timeout=_ANSWER_MS)


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser without a window. The sandbox installs the program."""
    program = next(filter(None, map(shutil.which, CHROMIUM)), None)
    assert program, "there is no chromium; `make up` installs it"
    with sync_playwright() as player:
        browser = player.chromium.launch(executable_path=program, args=_QUIET)
        yield browser
        browser.close()


class Visitor:
    """A user with cookies and settings of their own."""

    def __init__(self, browser: Browser, user: str, **settings: Any) -> None:
        context = browser.new_context(**{"viewport": WIDE, "color_scheme": "light", **settings})
        context.set_default_timeout(_ANSWER_MS)
        self.user = user
        self.airflow = Airflow()
        self.page: Page = context.new_page()

    def log_in(self, path: str = "/") -> None:
        """Open a page of Airflow, which asks for the log-in first."""
        self.page.goto(self.airflow.url + path)
        self.page.fill("input[name=username]", self.user)
        self.page.fill("input[name=password]", self.airflow.password(self.user))
        self.page.click("button[type=submit]")
        self.page.wait_for_url(lambda url: "/auth/" not in url)

    def open(self, path: str) -> Page:
        """Open one of our pages."""
        self.page.goto(f"{self.airflow.url}/manifest-engine/ui{path}")
        return self.page

    def fill_in(self, **manifest: str) -> None:
        """Fill in fields of the form that deploys."""
        form = self.page.locator("#manifest")
        for key, value in manifest.items():
            field = form.locator(f"[name={key}]")
            if key == "environment":
                field.select_option(value)
            else:
                field.fill(value)

    def look_first(self) -> None:
        """Start the dry run of the form, and wait for what it would change."""
        self.page.get_by_role("button", name="Show what changes").click()
        expect(self.page.get_by_role("heading", name="What changes")).to_be_visible()

    def follow(self, state: str) -> str:
        """Wait on the page of a deployment for its end; returns its id.

        :param state: the expected state at the end.
        """
        self.page.wait_for_url(re.compile(r"/ui/deployments/[^/]+$"))
        ended = "|".join(sorted(deployment.ENDED))
        expect(self.page).to_have_title(re.compile(rf"^({ended}) · "), timeout=_END_MS)
        shown = self.page.locator("#state").inner_text()
        assert self.page.title().startswith(f"{state} · "), shown
        return self.page.url.rpartition("/")[2]


def serious_faults(page: Page) -> list[str]:
    """The faults that axe finds and that keep people from using the page."""
    found = Axe().run(page).response["violations"]
    return [
        f"{fault['help']}: {node['html'][:200]}"
        for fault in found
        if fault["impact"] in _SERIOUS
        for node in fault["nodes"]
    ]


def overflow(page: Page) -> int:
    """The pixels by which the page is wider than the window."""
    return int(page.evaluate("document.documentElement.scrollWidth - innerWidth"))
