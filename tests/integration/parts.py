"""Parts of the sandbox that a test cannot do without: it fails where one is missing."""

from __future__ import annotations

import pytest

from sandbox.core.part import Part


def require(*parts: Part) -> None:
    """Fail with the command that brings the missing parts up."""
    missing = {part.name: problem for part in parts if (problem := part.ready())}
    if missing:
        only = " ".join(f"--only {name}" for name in missing)
        pytest.fail(f"{missing}: run .venv/bin/python -m sandbox up {only}", pytrace=False)
