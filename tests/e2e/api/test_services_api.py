"""List, compare, roll back, restart and remove services over the real API server."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import requests

from sandbox.airflow.deploy import upload
from tests.e2e.api.test_api import Hub


def test_a_portal_lists_compares_rolls_back_restarts_and_removes(service: Callable[..., Any]):
    hub = Hub("deployer")
    plain = service("plain-service")
    name = plain.manifest["serviceName"]
    path = f"services/e2e/{name}"
    ids = []
    for version in ("1.0.0", "1.1.0"):
        archive = plain.zip({"version.txt": version.encode()})
        upload(archive, f"datafactory/e2e/{name}/{version}/{name}-{version}.zip")
        manifest = plain.manifest | {"version": version, "env": {"LEVEL": version}}
        ids.append(hub("POST", "deployments", json=manifest).json()["id"])
        assert hub.follow(ids[-1])[-1][1]["state"] == "live"

    (row,) = hub("GET", f"services?text={name}").json()["items"]
    assert (row["state"], row["observed"]) == ("running", True)
    assert (row["version"], row["requestedBy"]) == ("1.1.0", "deployer")
    assert row["ready"] == row["desired"] > 0
    assert row["artifact"] == f"datafactory/e2e/{name}/1.1.0/{name}-1.1.0.zip"
    assert row["lastResult"]["id"] == row["deploymentId"] == ids[1]
    assert requests.get(row["url"], timeout=10).ok
    (dev,) = hub("GET", path).json()["environments"]
    assert dev["allowed"] == ["deploy", "rollback", "restart", "remove"]
    assert dev["manifest"]["env"] == {"LEVEL": "1.1.0"}
    found = hub("GET", f"{path}/differences?from={ids[0]}&to={ids[1]}").json()
    assert [item["field"] for item in found["manifest"]] == ["env.LEVEL", "version"]
    assert (found["sameArtifact"], found["sameImage"]) == (False, False)

    end = follow(hub, hub("POST", f"{path}/rollback", json={"environment": "dev", "dryRun": True}))
    assert (end["action"], end["state"]) == ("rollback", "planned")
    assert "1.0.0" in end["choices"][0]
    end = follow(hub, hub("POST", f"{path}/rollback", json={"environment": "dev"}))
    assert (end["state"], end["version"]) == ("live", "1.0.0")
    end = follow(hub, hub("POST", f"{path}/restart", json={"environment": "dev"}))
    assert (end["action"], end["state"]) == ("restart", "live")
    end = follow(hub, hub("DELETE", f"{path}?environment=dev"))
    assert (end["action"], end["state"]) == ("remove", "removed")
    history = hub("GET", f"{path}/deployments").json()
    actions = [item["action"] for item in history["items"]]
    assert actions == ["remove", "restart", "rollback", "rollback", "deploy", "deploy"]
    (row,) = hub("GET", f"services?text={name}").json()["items"]
    assert (row["state"], row["lastResult"]["state"]) == ("not deployed", "removed")


def test_the_versions_of_a_service_are_listed(service: Callable[..., Any]):
    plain = service("plain-service")
    name = plain.manifest["serviceName"]
    for version in ("1.9.0", "1.10.0"):
        upload(plain.zip(), f"datafactory/e2e/{name}/{version}/{name}-{version}.zip")
    found = Hub("deployer")("GET", f"artifacts?component=e2e&serviceName={name}&environment=dev")
    items = found.json()["items"]
    assert [item["version"] for item in items] == ["1.10.0", "1.9.0"]
    assert len({item["sha256"] for item in items}) == 1


def follow(hub: Hub, begun: requests.Response) -> dict[str, Any]:
    """The deployment at its end."""
    assert begun.status_code == 202, begun.text
    assert begun.headers["location"].endswith(f"/deployments/{begun.json()['id']}")
    return hub.follow(begun.json()["id"])[-1][1]
