"""Runs our steps and the script, and measures time and memory of their process trees."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

_HERE = Path(__file__).parent
_SAMPLE_SECONDS = 0.02
MIB = 1 << 20


@dataclass(frozen=True)
class Run:
    """One deployment up to the registry."""

    seconds: float
    core_seconds: float
    """The part for building and pushing."""
    mib: float


@dataclass
class Figures:
    """All measurements of one case."""

    ours_s: list[float] = field(default_factory=list)
    script_s: list[float] = field(default_factory=list)
    ours_mib: list[float] = field(default_factory=list)
    script_mib: list[float] = field(default_factory=list)
    ours_pushed: list[int] = field(default_factory=list)
    script_pushed: list[int] = field(default_factory=list)
    ours_core: list[float] = field(default_factory=list)
    script_core: list[float] = field(default_factory=list)

    def ours(self, run: Run, pushed: int) -> None:
        self.ours_s.append(run.seconds)
        self.ours_core.append(run.core_seconds)
        self.ours_mib.append(run.mib)
        self.ours_pushed.append(pushed)

    def script(self, run: Run, pushed: int) -> None:
        self.script_s.append(run.seconds)
        self.script_core.append(run.core_seconds)
        self.script_mib.append(run.mib)
        self.script_pushed.append(pushed)

    def summary(self) -> dict[str, float]:
        """Medians of times and bytes, and maxima of memory, of whole steps."""
        return self._summary(self.ours_s, self.script_s)

    def core_summary(self) -> dict[str, float]:
        """The same for building and pushing only: without our checks and without unzip."""
        return self._summary(self.ours_core, self.script_core)

    def _summary(self, ours_s: list[float], script_s: list[float]) -> dict[str, float]:
        ours, script = statistics.median(ours_s), statistics.median(script_s)
        return {
            "ours_s": round(ours, 2),
            "script_s": round(script, 2),
            "ratio": round(ours / script, 2),
            "ours_mib": round(max(self.ours_mib)),
            "script_mib": round(max(self.script_mib)),
            "ours_pushed_kib": round(statistics.median(self.ours_pushed) / 1024),
            "script_pushed_kib": round(statistics.median(self.script_pushed) / 1024),
        }


class Watch(threading.Thread):
    """Peak memory of a process and its descendants, in MiB above the memory at the start."""

    def __init__(self, process: psutil.Process, *, from_zero: bool) -> None:
        super().__init__(daemon=True)
        self._process = process
        self._start = 0.0 if from_zero else _tree(process)
        self._done = threading.Event()
        self._highest = 0.0

    def run(self) -> None:
        while not self._done.wait(_SAMPLE_SECONDS):
            self._highest = max(self._highest, _tree(self._process))

    def end(self) -> float:
        self._done.set()
        self.join()
        return max(0.0, self._highest - self._start)


def _tree(process: psutil.Process) -> float:
    """Sum of proportional set sizes, in which shared memory counts once."""
    total = 0
    with suppress(psutil.Error):
        for member in [process, *process.children(recursive=True)]:
            with suppress(psutil.Error):
                total += member.memory_full_info().pss
    return total / MIB


class Task:
    """The process of ``task.py``."""

    def __init__(self, env: dict[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, _HERE / "task.py"],
            env={**os.environ, **env},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._errors: list[str] = []
        threading.Thread(target=self._keep_errors, daemon=True).start()
        self._answer()

    def run(self, asked: dict[str, Any]) -> Run:
        """One deployment."""
        watch = Watch(psutil.Process(self._process.pid), from_zero=False)
        watch.start()
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        told = self._answer()
        return Run(told["seconds"], told["core_seconds"], watch.end())

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait()

    def _answer(self) -> dict[str, float]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("ours failed:\n" + "".join(self._errors[-20:]))
        told: dict[str, float] = json.loads(line)
        return told

    def _keep_errors(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            self._errors.append(line)


def by_hand(env: dict[str, str], *words: str) -> Run:
    """One run of the script."""
    begin = time.monotonic()
    process = subprocess.Popen(
        [_HERE / "by_hand.sh", *words],
        env={**os.environ, **env},
        stdout=subprocess.PIPE,
        text=True,
    )
    watch = Watch(psutil.Process(process.pid), from_zero=True)
    watch.start()
    times, _ = process.communicate()
    if process.returncode:
        raise RuntimeError("the script by hand failed")
    seconds = time.monotonic() - begin
    started, ended = map(float, times.split())
    return Run(seconds, ended - started, watch.end())
