"""The services to build: the standard service in many versions, and a big service."""

from __future__ import annotations

import hashlib
import os
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from manifest_engine.domain.environment import environments
from manifest_engine.domain.manifest import manifest
from manifest_engine.domain.release import release

_SERVICE = {
    "src/__init__.py": "",
    "src/aiservice.py": "from flask import Flask\n\napp = Flask(__name__)\n",
    "src/loop_log.ini": "[loggers]\nkeys=root\n",
}
_BLOCK = 1 << 20


class Bench:
    """Makes ZIPs and the input of ``task.py``."""

    def __init__(self, folder: Path, login_server: str) -> None:
        self.store = folder / "store"
        (self.store / "sha256").mkdir(parents=True)
        self._folder = folder
        self._login_server = login_server
        self._environment = environments.load(environments.INCLUDE / "environments.yaml")["dev"]

    def zip(self, name: str, number: int) -> Path:
        """The standard service; ``number`` changes its code, ``name`` its requirements."""
        target = self._folder / f"v{number}.zip"
        if target.exists():
            return target
        with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as made:
            self._fill(made, name, number)
        return target

    def big_zip(self, name: str, mib: int) -> Path:
        """The standard service with ``mib`` MiB of incompressible data."""
        target = self._folder / "big.zip"
        with zipfile.ZipFile(target, "w") as made:
            self._fill(made, name, 0)
            with made.open("model/weights.bin", "w", force_zip64=True) as file:
                for _ in range(mib):
                    file.write(os.urandom(_BLOCK))
        return target

    def order(self, name: str, file: Path, *, push: bool) -> dict[str, Any]:
        """A line of input for ``task.py``."""
        with file.open("rb") as content:
            sha256 = hashlib.file_digest(content, "sha256").hexdigest()
        link = self.store / f"sha256/{sha256}.zip"
        if not link.exists():
            os.link(file, link)
        asked = {"component": "bench", "serviceName": name, "environment": "dev"}
        planned = release.plan(
            manifest.parse({**asked, "version": file.stem}),
            self._environment,
            login_server=self._login_server,
            run_id="bench",
            requested_at=datetime.now(UTC),
            requested_by="bench",
        )
        return {"release": planned.dump(), "artifact": {"sha256": sha256}, "push": push}

    @staticmethod
    def _fill(made: zipfile.ZipFile, name: str, number: int) -> None:
        dockerfile = (environments.INCLUDE / "Dockerfile").read_text()
        for path, content in {
            **_SERVICE,
            "scripts/Dockerfile": dockerfile,
            "lib/requirements.txt": f"flask==3.1.3  # {name}\n",
            "src/number.py": f"NUMBER = {number}\n",
        }.items():
            made.writestr(path, content)
