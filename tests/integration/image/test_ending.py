"""However the task ends, the build on the engine ends too."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import psutil
import pytest
from manifest_engine.domain.core.errors import BuildError
from manifest_engine.hooks.builder.buildx_run import BuildCancelled
from manifest_engine.operators.image.build_image import BuildImage

if TYPE_CHECKING:
    from tests.integration.image.conftest import Service

_PATIENCE_SECONDS = 60
"""Time limit for the start of a build, enough on a busy machine."""
_END_SECONDS = 15


class SlowBuild:
    """A build whose only step takes an hour and has a unique command line."""

    def __init__(self, service: Service) -> None:
        self.mark = f"3600.{uuid4().int % 10**9}"
        dockerfile = f"FROM python:3.11\nRUN sleep {self.mark}\n"
        self.artifact = service.zip(**{"scripts/Dockerfile": dockerfile})
        self.planned = service.plan().dump()

    def step(self, **options: Any) -> BuildImage:
        return BuildImage(
            task_id="build_image", release=self.planned, artifact=self.artifact, **options
        )

    def runs(self) -> bool:
        return any(
            self.mark in (process.info["cmdline"] or [])
            for process in psutil.process_iter(["cmdline"])
        )

    def wait_until(self, *, running: bool, seconds: float) -> None:
        end = time.monotonic() + seconds
        while self.runs() != running:
            assert time.monotonic() < end, f"after {seconds} s the step runs: {self.runs()}"
            time.sleep(0.05)


@pytest.fixture
def slow(service: Service) -> SlowBuild:
    return SlowBuild(service)


def test_a_cancelled_task_ends_its_build(slow: SlowBuild) -> None:
    step = slow.step()

    def cancel() -> None:
        slow.wait_until(running=True, seconds=_PATIENCE_SECONDS)
        step.on_kill()

    threading.Thread(target=cancel).start()
    with pytest.raises(BuildCancelled) as caught:
        step.run({})
    assert caught.value.retryable
    slow.wait_until(running=False, seconds=_END_SECONDS)


def test_a_build_that_takes_too_long_is_ended(slow: SlowBuild) -> None:
    # The limit includes the first requests to registry and engine.
    with pytest.raises(BuildError, match=r"was not built within [1-8] s") as caught:
        slow.step(deadline_seconds=8).run({})
    assert caught.value.retryable
    slow.wait_until(running=False, seconds=_END_SECONDS)


def test_a_task_killed_with_minus_9_ends_its_build(slow: SlowBuild, tmp_path: Path) -> None:
    script = tmp_path / "task.py"
    script.write_text(
        "from manifest_engine.operators.image.build_image import BuildImage\n"
        f"BuildImage(task_id='build_image', release={slow.planned!r}, "
        f"artifact={slow.artifact!r}).run({{}})\n"
    )
    plugins = Path(__file__).parents[3] / "plugins"
    task = subprocess.Popen(
        [sys.executable, script],
        env={**os.environ, "PYTHONPATH": str(plugins)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        slow.wait_until(running=True, seconds=_PATIENCE_SECONDS)
        task.send_signal(signal.SIGKILL)
        slow.wait_until(running=False, seconds=_END_SECONDS)
    finally:
        task.kill()
        task.wait()
