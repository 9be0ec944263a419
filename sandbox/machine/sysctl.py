"""Kernel settings that the sandbox changes, remembered so that ``down`` puts them back."""

from __future__ import annotations

from pathlib import Path

from sandbox.core.settings import SETTINGS


def remember(name: str) -> None:
    """Note the present value, unless one is noted already: after a crash that is the first one."""
    note = _note(name)
    if _file(name).exists() and not note.exists():
        note.parent.mkdir(parents=True, exist_ok=True)
        note.write_text(_file(name).read_text())


def change(name: str, value: str) -> None:
    """Set ``name`` (written with dots) to ``value`` and remember what it was."""
    if current(name) not in (value, None):
        remember(name)
        _file(name).write_text(value)


def restore(name: str) -> None:
    """Put back what was remembered, if anything was."""
    note = _note(name)
    if note.exists():
        if _file(name).exists() and _file(name).read_text() != note.read_text():
            _file(name).write_text(note.read_text())
        note.unlink()


def current(name: str) -> str | None:
    """The present value; None where this kernel has no such setting."""
    file = _file(name)
    return file.read_text().strip() if file.exists() else None


def _file(name: str) -> Path:
    return Path("/proc/sys", *name.split("."))


def _note(name: str) -> Path:
    return SETTINGS.state / "sysctl" / name
