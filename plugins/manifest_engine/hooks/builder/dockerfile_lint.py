"""Lint a Dockerfile by hadolint: advice for the author, never a reason to fail."""

from __future__ import annotations

import json
import shutil
import subprocess
import sysconfig

from manifest_engine.domain.core import printable
from manifest_engine.hooks.core import bounded, child_environment

_SECONDS = 10
_OUTPUT_MAX = 4 << 20
_FINDINGS_MAX = 50
"""Maximum number of findings in the log."""


def advice(dockerfile: bytes) -> list[str]:
    """One line per finding, ``line 3: DL3006 …``; empty without findings or without hadolint."""
    program = shutil.which("hadolint", path=sysconfig.get_path("scripts")) or shutil.which(
        "hadolint"
    )
    if program is None:
        return []
    try:
        done = bounded.output(
            [program, "--no-fail", "--format", "json", "-"],
            stdin=dockerfile,
            env=child_environment.clean(),
            limit=_OUTPUT_MAX,
            deadline_seconds=_SECONDS,
        )
        found = json.loads(done.stdout or "[]")[:_FINDINGS_MAX]
        return [
            printable.excerpt(f"line {item['line']}: {item['code']} {item['message']}")
            for item in found
        ]
    except (subprocess.SubprocessError, OSError, ValueError, KeyError, TypeError):
        return []
