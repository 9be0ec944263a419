"""``validate`` refuses a manifest by size before it sends a request."""

from __future__ import annotations

import base64
import json
import random
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from manifest_engine.domain.core.errors import ManifestError
from manifest_engine.domain.environment import environments
from manifest_engine.operators.manifest.validate_manifest import ValidateManifest

ASKED = {"component": "pricing", "serviceName": "quotes", "version": "1.0", "environment": "dev"}
REBUILD = {"releaseHash": "h", "digest": "sha256:" + "a" * 64}


@pytest.fixture(autouse=True)
def connections(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(environments.PATH_VARIABLE, str(environments.INCLUDE / "environments.yaml"))
    for name, kind in {
        "artifactory": "artifactory",
        "docker": "docker",
        "acr": "acr",
        "kubernetes": "kubernetes",
    }.items():
        text = json.dumps({"conn_type": kind, "host": "team.example"})
        monkeypatch.setenv(f"AIRFLOW_CONN_{name.upper()}_DEFAULT", text)


def refusal(run_type: str = "manual", **fields: Any) -> str:
    run = SimpleNamespace(
        conf=ASKED | fields,
        run_id="run-1",
        run_type=run_type,
        run_after=datetime(2026, 1, 2, tzinfo=UTC),
    )
    with pytest.raises(ManifestError) as caught:
        ValidateManifest(task_id="validate").run({"dag_run": run})
    return str(caught.value)


def incompressible(size: int) -> str:
    return base64.b64encode(random.Random(1).randbytes(size * 3 // 4)).decode()


def test_a_manifest_too_large_for_annotations_is_refused_before_the_build():
    said = refusal(env={"MODEL": incompressible(60_000)})
    assert "too large to be recorded" in said
    assert "at most 94208 are taken" in said
    assert "The largest field is env.MODEL with 60002 bytes" in said


def test_the_conf_of_a_rebuild_may_be_larger_than_the_conf_of_a_person():
    large = {"env": {"TEXT": "x" * 66_000}, "environment": "nowhere"}
    assert "'nowhere' is not configured" in refusal("operator_triggered", rebuild=REBUILD, **large)
    assert "at most 65536 are allowed" in refusal("manual", rebuild=REBUILD, **large)
    assert "at most 65536 are allowed" in refusal("operator_triggered", **large)
