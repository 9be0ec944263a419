"""Random credentials, made once per sandbox and kept in files that only their owner can read."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sandbox.core.settings import SETTINGS


def password() -> str:
    """A password that needs no quoting in URLs, shells and INI files."""
    return secrets.token_urlsafe(24)


def path(name: str) -> Path:
    return SETTINGS.state / "secrets" / f"{name}.json"


def load_or_make(name: str, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """The credentials ``name``, made by ``make`` if missing. Safe for parallel callers."""
    target = path(name)
    if not target.exists():
        private_folder(target.parent)
        draft = write_private(
            Path(tempfile.mktemp(dir=target.parent)), json.dumps(make(), indent=2)
        )
        with contextlib.suppress(FileExistsError):
            os.link(draft, target)
        draft.unlink()
    return dict(json.loads(target.read_text()))


def forget(name: str) -> None:
    path(name).unlink(missing_ok=True)


def private_folder(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    return folder


def write_private(target: Path, text: str) -> Path:
    """Write a file that other users can never read, not even while it is written."""
    target.unlink(missing_ok=True)
    with os.fdopen(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
        file.write(text)
    return target
