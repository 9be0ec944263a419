"""The modules that a worker imports before it forks."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

PLUGINS = Path(__file__).parents[2] / "plugins"
REPORT = "import sys, manifest_engine.preload; print(*sys.modules)"


def preloaded(environments: Path) -> set[str]:
    known = {"PYTHONPATH": str(PLUGINS), "MANIFEST_ENGINE_ENVIRONMENTS": str(environments)}
    done = subprocess.run(
        [sys.executable, "-c", REPORT],
        env={**os.environ, **known},
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.split())


def test_all_steps_and_libraries_are_loaded_for_any_environments(tmp_path):
    file = tmp_path / "environments.yaml"
    file.write_text("environments: [")
    steps = (PLUGINS / "manifest_engine/operators").rglob("[!_]*.py")
    wanted = {".".join(step.relative_to(PLUGINS).with_suffix("").parts) for step in steps}
    assert wanted | {"docker", "azure.identity", "kubernetes.dynamic"} <= preloaded(file)
