"""What stays of the logs when the sandbox goes: one copy, of the last ``down``."""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path

from sandbox.compose.compose import Compose
from sandbox.core.part import SandboxError
from sandbox.core.settings import SETTINGS


def folder() -> Path:
    """Where the copy is; ``parts/`` has a file per process, ``tasks/`` Airflow's task logs."""
    return SETTINGS.cache / "last-logs"


def keep() -> None:
    """Replace the copy by the present logs. Without any, the former copy stays."""
    if not SETTINGS.logs.exists():
        return
    with suppress(SandboxError):  # a stack that does not answer has none to give
        (SETTINGS.logs / "compose.log").write_text(Compose().log())
    shutil.rmtree(folder(), ignore_errors=True)
    shutil.copytree(SETTINGS.logs, folder() / "parts")
    if (tasks := SETTINGS.state / "airflow/logs").exists():
        shutil.copytree(tasks, folder() / "tasks", symlinks=True)
