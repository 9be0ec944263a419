"""Long-running processes of the sandbox, each in its own session, stopped by pid.

A pid file holds pid and creation time, so that a reused pid is never signalled.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
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
    """The running process ``name``, or None."""
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
    """Start ``argv`` unless the process ``name`` runs already.

    :param inherit: add ``env`` to this process's environment; else ``env`` is the environment.
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
    """Send SIGTERM to the process group, and SIGKILL to the whole tree after ``grace`` seconds."""
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
    """Wait up to ``seconds``, then return those that still run. A zombie does not run."""
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


def kill_shims(is_ours: Callable[[list[str]], bool]) -> None:
    """Kill containerd's shims and their containers, which survive a killed containerd.

    :param is_ours: selects shims by their command line.
    """
    shims, family = [], []
    for candidate in psutil.process_iter(["cmdline"]):
        words = candidate.info["cmdline"] or []
        if words and "containerd-shim" in words[0] and is_ours(words):
            shims.append(candidate)
            with suppress(psutil.NoSuchProcess):
                family += candidate.children(recursive=True)
    family += shims  # shims last, because they reap their containers
    for member in family:
        with suppress(psutil.NoSuchProcess):
            member.kill()
    psutil.wait_procs(family, timeout=10)


def _signal_group(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(pid, number)


def require_alive(name: str) -> str | None:
    """None if the process runs, else one sentence with the last line of its log."""
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
    """Run a short command and return its stdout. Raises SandboxError with its last lines."""
    done = subprocess.run(  # type: ignore[call-overload]
        [str(word) for word in argv], check=False, capture_output=True, text=True, **options
    )
    if done.returncode != 0:
        tail = "\n".join((done.stdout + done.stderr).strip().splitlines()[-8:])
        raise SandboxError(f"{what} failed (exit {done.returncode}): {tail}")
    return str(done.stdout)
