"""Keeps a copy of all logs at ``down``; each ``down`` replaces the copy."""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path

from sandbox.compose.compose import Compose
from sandbox.core.part import SandboxError
from sandbox.core.settings import SETTINGS


def folder() -> Path:
    """The folder of the copy: process logs in ``parts/``, Airflow's task logs in ``tasks/``."""
    return SETTINGS.cache / "last-logs"


def keep() -> None:
    """Replace the copy by the current logs, if there are logs."""
    if not SETTINGS.logs.exists():
        return
    with suppress(SandboxError):  # the stack is not up
        (SETTINGS.logs / "compose.log").write_text(Compose().log())
    shutil.rmtree(folder(), ignore_errors=True)
    shutil.copytree(SETTINGS.logs, folder() / "parts")
    if (tasks := SETTINGS.state / "airflow/logs").exists():
        shutil.copytree(tasks, folder() / "tasks", symlinks=True)
