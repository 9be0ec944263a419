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


FIND_PLUGINS = """
from airflow.sdk._shared.module_loading.file_discovery import find_path_from_directory
print(*find_path_from_directory({folder!r}, ".airflowignore"))
"""


def test_a_task_finds_the_plugin_without_a_warning(tmp_path):
    def warned(first: str) -> bool:
        code = first + FIND_PLUGINS.format(folder=str(PLUGINS))
        done = subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONPATH": str(PLUGINS), "AIRFLOW_HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            check=True,
        )
        assert str(PLUGINS / "manifest_engine_plugin.py") in done.stdout
        return "GitWildMatchPattern" in done.stdout + done.stderr

    assert warned("import airflow.configuration")
    assert not warned("import manifest_engine.preload")
