"""Fails a test if a part of the sandbox that the test needs is missing."""

from __future__ import annotations

import pytest

from sandbox.core.part import Part


def require(*parts: Part) -> None:
    """Fail with the command that starts the missing parts."""
    missing = {part.name: problem for part in parts if (problem := part.ready())}
    if missing:
        only = " ".join(f"--only {name}" for name in missing)
        pytest.fail(f"{missing}: run .venv/bin/python -m sandbox up {only}", pytrace=False)
