"""What hadolint has to say on a Dockerfile: advice for its author, never a reason to fail."""

from __future__ import annotations

import json
import shutil
import subprocess
import sysconfig

from manifest_engine.hooks import child_environment

_SECONDS = 10


def advice(dockerfile: bytes) -> list[str]:
    """One line per finding, ``line 3: DL3006 …``; none when hadolint is not there or has none."""
    program = shutil.which("hadolint", path=sysconfig.get_path("scripts")) or shutil.which(
        "hadolint"
    )
    if program is None:
        return []
    try:
        done = subprocess.run(
            [program, "--no-fail", "--format", "json", "-"],
            input=dockerfile,
            env=child_environment.clean(),
            capture_output=True,
            timeout=_SECONDS,
            check=False,
        )
        found = json.loads(done.stdout or "[]")
        return [f"line {item['line']}: {item['code']} {item['message']}" for item in found]
    except (subprocess.SubprocessError, OSError, ValueError, KeyError, TypeError):
        return []
