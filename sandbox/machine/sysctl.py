"""Kernel settings that the sandbox changes, recorded so that ``down`` restores them."""

from __future__ import annotations

from pathlib import Path

from sandbox.core.settings import SETTINGS


def remember(name: str) -> None:
    """Record the current value. An older record is kept, because it is the original value."""
    record = _record(name)
    if _file(name).exists() and not record.exists():
        record.parent.mkdir(parents=True, exist_ok=True)
        record.write_text(_file(name).read_text())


def change(name: str, value: str) -> None:
    """Set ``name`` (written with dots) to ``value`` and record the old value."""
    if current(name) not in (value, None):
        remember(name)
        _file(name).write_text(value)


def restore(name: str) -> None:
    """Restore the recorded value, if any."""
    record = _record(name)
    if record.exists():
        if _file(name).exists() and _file(name).read_text() != record.read_text():
            _file(name).write_text(record.read_text())
        record.unlink()


def current(name: str) -> str | None:
    """The current value; None if the kernel lacks the setting."""
    file = _file(name)
    return file.read_text().strip() if file.exists() else None


def _file(name: str) -> Path:
    return Path("/proc/sys", *name.split("."))


def _record(name: str) -> Path:
    return SETTINGS.state / "sysctl" / name
