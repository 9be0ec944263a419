"""``python -m tests.pictures``: the pictures of docs/pages.md, from the pages of the sandbox.

Deploys two services of the component ``pricing`` in the browser, takes a picture on the way, and
removes the services again. Run it after ``python -m sandbox up`` has made a new Airflow, whose
Overview has no other deployments. No picture shows a log of Airflow, which names files of the
machine.
"""

from __future__ import annotations

import io
import sys
from pathlib import Path

from kubernetes import config
from PIL import Image
from playwright.sync_api import Page, expect

from sandbox.airflow.deploy import upload
from sandbox.core import stack
from sandbox.core.settings import SETTINGS
from sandbox.parts import enabled_parts
from tests.e2e.browser import Visitor, chromium
from tests.e2e.conftest import Service, remove

FOLDER = Path(__file__).parents[1] / "docs/pictures"
SIZE = {"width": 1400, "height": 900}
_COLOURS = 64
_BYTES_MAX = 100_000
QUOTES, FORECAST = "quote-service", "forecast"
CRASH = {"src/aiservice.py": b"import os\n\nDATABASE = os.environ['DATABASE_URL']\n"}


def main() -> int:
    FOLDER.mkdir(exist_ok=True)
    parts = enabled_parts()
    cluster = config.new_client_from_config(stack.exports(parts)["KUBECONFIG"])
    try:
        with chromium() as browser:
            visitor = Visitor(browser, "deployer", viewport=SIZE)
            visitor.log_in("/manifest-engine/ui/")
            _walk(visitor)
    finally:
        for name in (QUOTES, FORECAST):
            remove(cluster, SETTINGS.namespace, f"pricing-{name}")
    return 0


def _walk(visitor: Visitor) -> None:
    for name, version in ((FORECAST, "0.9.0"), (QUOTES, "1.3.0"), (QUOTES, "1.4.0")):
        _publish(name, version)
        _begin(visitor, name, version)
        if version != "1.4.0":
            visitor.page.get_by_role("button", name="Deploy without a look").click()
            visitor.follow("live")
    visitor.page.locator("summary").filter(has_text="Runtime").click()
    visitor.fill_in(replicas="3")
    expect(visitor.page.get_by_role("button", name="Show what changes")).to_be_enabled()
    visitor.page.evaluate("document.activeElement.blur(); scrollTo(0, 0)")
    _take(visitor.page, "deploy")
    visitor.look_first()
    visitor.page.get_by_role("button", name=f"Deploy {QUOTES} 1.4.0 to dev").click()
    visitor.follow("live")

    _publish(QUOTES, "1.5.0", CRASH)
    _begin(visitor, QUOTES, "1.5.0")
    visitor.page.get_by_role("button", name="Deploy without a look").click()
    visitor.follow("failed")
    _take(visitor.page, "deployment-failed")
    page = visitor.open("/?text=pricing")
    expect(page.get_by_text("2 rows")).to_be_visible()
    _take(page, "services")
    page = visitor.open(f"/services/pricing/{QUOTES}")
    expect(page.get_by_role("region", name="Pods in dev")).to_be_visible()
    _take(page, "service", whole=True)
    _take(visitor.open("/overview"), "overview", whole=True)
    _take(visitor.open("/audit"), "audit")


def _publish(name: str, version: str, changes: dict[str, bytes] | None = None) -> None:
    archive = Service("plain-service", name).zip(changes or {"version.txt": version.encode()})
    upload(archive, f"datafactory/pricing/{name}/{version}/{name}-{version}.zip")


def _begin(visitor: Visitor, name: str, version: str) -> None:
    visitor.open(f"/deploy?component=pricing&serviceName={name}&environment=dev&version={version}")


def _take(page: Page, name: str, *, whole: bool = False) -> None:
    page.wait_for_load_state("networkidle")
    with Image.open(io.BytesIO(page.screenshot(full_page=whole))) as taken:
        made = taken.convert("RGB").quantize(_COLOURS, dither=Image.Dither.NONE)
    file = FOLDER / f"{name}.png"
    made.save(file, optimize=True)
    size = file.stat().st_size
    print(f"{file.name:<24} {made.width} x {made.height}, {size // 1000} kB")
    assert size < _BYTES_MAX, f"{file} has more than {_BYTES_MAX // 1000} kB"


if __name__ == "__main__":
    sys.exit(main())
