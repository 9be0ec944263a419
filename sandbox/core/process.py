"""Long-running processes of the sandbox: started in a session of their own, stopped by pid.

A pid file holds the pid and the process's creation time, so that a number that the kernel has
given to another process meanwhile is never signalled.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import psutil

from sandbox.core.part import SandboxError
from sandbox.core.settings import SETTINGS

_GRACE_SECONDS = 20.0


def _pid_file(name: str) -> Path:
    return SETTINGS.state / "pids" / f"{name}.json"


def log_file(name: str) -> Path:
    return SETTINGS.logs / f"{name}.log"


def find(name: str) -> psutil.Process | None:
    """The running process of that name, or None."""
    try:
        record = json.loads(_pid_file(name).read_text())
        process = psutil.Process(record["pid"])
        same = abs(process.create_time() - record["created"]) < 1.0
        return process if same and _alive(process) else None
    except (FileNotFoundError, psutil.NoSuchProcess):
        return None


def start(
    name: str,
    argv: Sequence[str | Path],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    inherit: bool = True,
) -> None:
    """Start ``argv`` unless it runs already.

    ``env`` is added to this process's environment, or is all of it without ``inherit``.
    """
    if find(name) is not None:
        return
    for folder in (_pid_file(name).parent, SETTINGS.logs):
        folder.mkdir(parents=True, exist_ok=True)
    with log_file(name).open("ab") as log:
        process = subprocess.Popen(
            [str(word) for word in argv],
            env={**(os.environ if inherit else {}), **(env or {})},
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    created = psutil.Process(process.pid).create_time()
    _pid_file(name).write_text(json.dumps({"pid": process.pid, "created": created}))


def stop(name: str, grace: float = _GRACE_SECONDS) -> None:
    """SIGTERM to the process's group, SIGKILL after ``grace`` seconds; also to what it orphaned."""
    process = find(name)
    if process is not None:
        family = [process, *process.children(recursive=True)]
        _signal_group(process.pid, signal.SIGTERM)
        for member in _still_alive(family, grace):
            with suppress(psutil.NoSuchProcess):
                member.kill()
        _still_alive(family, seconds=5)
    _pid_file(name).unlink(missing_ok=True)


def _still_alive(family: list[psutil.Process], seconds: float) -> list[psutil.Process]:
    """Those that run after ``seconds`` at most; a zombie that nobody has reaped yet does not."""
    deadline = time.monotonic() + seconds
    while alive := [member for member in family if _alive(member)]:
        if time.monotonic() > deadline:
            break
        time.sleep(0.05)
    return alive


def _alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _signal_group(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(pid, number)


def require_alive(name: str) -> str | None:
    """None while it runs, else one sentence with the last line of its log."""
    if find(name) is not None:
        return None
    return f"{name} is not running; its log ends: {last_line(name)}"


def last_line(name: str) -> str:
    try:
        lines = log_file(name).read_text(errors="replace").strip().splitlines()
    except FileNotFoundError:
        return "(no log)"
    return lines[-1][:300] if lines else "(empty log)"


def run(argv: Sequence[str | Path], *, what: str, **options: object) -> str:
    """Run a short command; its output, or SandboxError with its last lines."""
    done = subprocess.run(  # type: ignore[call-overload]
        [str(word) for word in argv], check=False, capture_output=True, text=True, **options
    )
    if done.returncode != 0:
        tail = "\n".join((done.stdout + done.stderr).strip().splitlines()[-8:])
        raise SandboxError(f"{what} failed (exit {done.returncode}): {tail}")
    return str(done.stdout)
