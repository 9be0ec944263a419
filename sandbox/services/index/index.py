"""The private package index: pypiserver with a password, and two versions of internal-utils.

Plain HTTP, so that a build needs ``trusted-host`` but no certificate file.
"""

from __future__ import annotations

import base64
import hashlib
import shutil
import sys
from pathlib import Path
from typing import Any

import requests

from sandbox.core import credentials, process
from sandbox.core.part import Part, wait_until
from sandbox.core.settings import REPOSITORY, SETTINGS
from sandbox.services.index import wheel

VERSIONS = ("1.4.2", "1.5.0")
_SOURCE = REPOSITORY / "sandbox/services/index/internal_utils"


def login() -> dict[str, Any]:
    """``user`` and ``password``."""
    return credentials.load_or_make(
        "index", lambda: {"user": "builds", "password": credentials.password()}
    )


class Index(Part):
    """Listens on the pod bridge, where builds, pods and host reach it."""

    name = "index"
    needs = ("network",)

    @property
    def url(self) -> str:
        """pip's ``index-url``, without credentials."""
        return f"http://{SETTINGS.pod_gateway}:{SETTINGS.index_port}/simple/"

    def start(self) -> None:
        wheels = self._home / "wheels"
        wheels.mkdir(parents=True, exist_ok=True)
        for version in VERSIONS:
            wheel.build(_SOURCE, "internal-utils", version, wheels)
        # Never redirect a client to another index.
        program = [sys.executable, "-m", "pypiserver", "run", "--disable-fallback"]
        place = ["--interface", SETTINGS.pod_gateway, "--port", str(SETTINGS.index_port)]
        access: list[str | Path] = [
            "--authenticate",
            "download,list,update",
            "--passwords",
            self._passwords(),
        ]
        process.start(self.name, [*program, *place, *access, wheels])
        wait_until(self.ready, 20, "the package index")

    def ready(self) -> str | None:
        if problem := process.require_alive(self.name):
            return problem
        try:
            answer = requests.get(f"{self.url}internal-utils/", timeout=2)
        except requests.RequestException as error:
            return str(error)
        return (
            None
            if answer.status_code == 401
            else f"it answers {answer.status_code} without a login"
        )

    def stop(self) -> None:
        process.stop(self.name)
        shutil.rmtree(self._home, ignore_errors=True)
        credentials.forget("index")

    def where(self) -> str:
        return self.url

    def exports(self) -> dict[str, str]:
        if not credentials.path("index").exists():
            return {}
        return {
            "INDEX_URL": self.url,
            "INDEX_USER": login()["user"],
            "INDEX_PASSWORD": login()["password"],
        }

    @property
    def _home(self) -> Path:
        return SETTINGS.state / "index"

    def _passwords(self) -> Path:
        """A file in Apache's htpasswd format. The password is random, so SHA-1 is enough."""
        digest = hashlib.sha1(login()["password"].encode()).digest()
        line = f"{login()['user']}:{{SHA}}{base64.b64encode(digest).decode()}\n"
        return credentials.write_private(self._home / "htpasswd", line)
