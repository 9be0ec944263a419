"""The Artifactory stand-in, with a user who deploys and a user who only reads."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

import requests

from sandbox.core import credentials, process
from sandbox.core.part import Part, wait_until
from sandbox.core.settings import REPOSITORY, SETTINGS

REPOSITORIES = ("datafactory", "restricted")
"""The first holds the services. Only the user ``deployer`` can read the second."""


def accounts() -> dict[str, Any]:
    """``repositories`` and ``users``, in the form that the server reads."""
    return credentials.load_or_make("artifactory", _make_accounts)


def _make_accounts() -> dict[str, Any]:
    everything = list(REPOSITORIES)
    return {
        "repositories": everything,
        "users": [
            _user("deployer", read=everything, write=everything),
            _user("reader", read=everything[:1], write=[]),
        ],
    }


def _user(name: str, *, read: list[str], write: list[str]) -> dict[str, Any]:
    own = {"password": credentials.password(), "token": credentials.password()}
    return {"name": name, **own, "read": read, "write": write}


class Artifactory(Part):
    """Listens on loopback under ``/artifactory``."""

    name = "artifactory"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{SETTINGS.artifactory_port}/artifactory"

    def start(self) -> None:
        accounts()
        program = [sys.executable, "-m", "sandbox.services.artifactory.server"]
        files: list[str | Path] = [
            "--accounts",
            credentials.path("artifactory"),
            "--root",
            self._root,
        ]
        port = ["--port", str(SETTINGS.artifactory_port)]
        process.start(self.name, [*program, *files, *port], cwd=REPOSITORY)
        wait_until(self.ready, 20, "the Artifactory stand-in")

    def ready(self) -> str | None:
        if problem := process.require_alive(self.name):
            return problem
        try:
            token = {"Authorization": f"Bearer {accounts()['users'][0]['token']}"}
            ping = requests.get(f"{self.url}/api/system/ping", headers=token, timeout=2)
            ping.raise_for_status()
        except requests.RequestException as error:
            return str(error)
        return None

    def stop(self) -> None:
        process.stop(self.name)
        shutil.rmtree(self._root, ignore_errors=True)
        credentials.forget("artifactory")

    def where(self) -> str:
        return self.url

    def exports(self) -> dict[str, str]:
        if not credentials.path("artifactory").exists():
            return {}
        tokens = {user["name"]: user["token"] for user in accounts()["users"]}
        return {
            "ARTIFACTORY_URL": self.url,
            "ARTIFACTORY_TOKEN": tokens["deployer"],
            "ARTIFACTORY_READER_TOKEN": tokens["reader"],
        }

    @property
    def _root(self) -> Path:
        return SETTINGS.state / "artifactory"
