"""A planned release for tests; keyword arguments are fields of its manifest."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from manifest_engine.domain.environment.environment import Environment
from manifest_engine.domain.manifest import manifest
from manifest_engine.domain.release import release

DIGEST = "sha256:" + "d" * 64
ARTIFACT = {"sha256": "a" * 64}
GATEWAY = {"url": "https://dev.example.com", "gateway": {"name": "gw", "namespace": "gateways"}}


def make_release(
    *,
    run_id: str = "run-1",
    cluster: dict[str, Any] | None = None,
    routing: dict[str, Any] | None = None,
    pods: dict[str, Any] | None = None,
    **fields: Any,
) -> release.Release:
    environment = {
        "artifactory": {"connection": "artifactory", "repository": "datafactory"},
        "builders": ["docker"],
        "registry": {"connection": "acr"},
        "cluster": {"connection": "aks", "namespace": "apps"} | (cluster or {}),
        "routing": routing or GATEWAY,
        "pods": pods or {},
    }
    asked = {
        "component": "pricing",
        "serviceName": "quotes",
        "version": "1.0",
        "environment": "dev",
    }
    return release.plan(
        manifest.parse(asked | fields),
        Environment.model_validate(environment, strict=False),
        login_server="registry.example",
        run_id=run_id,
        requested_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        requested_by="ada",
    )
