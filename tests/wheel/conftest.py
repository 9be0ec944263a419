"""The wheel, built from this checkout and installed in an empty virtual environment."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from sandbox.airflow import configuration as airflow_configuration
from sandbox.airflow.airflow import Airflow
from sandbox.airflow.api import AirflowApi
from sandbox.core import process
from sandbox.core.part import wait_until
from sandbox.core.settings import REPOSITORY, SETTINGS
from sandbox.engine.engine import Engine
from tests.e2e.conftest import cluster, environment, service

__all__ = ["cluster", "environment", "service"]  # fixtures

_UV = Path(sys.executable).with_name("uv")
_PORT = SETTINGS.airflow_port + 10


class Installed:
    """A virtual environment with the wheel and its dependencies.

    :param folder: place of the environment.
    """

    def __init__(self, folder: Path) -> None:
        self._bin = folder / "venv/bin"
        self.python = self._bin / "python"
        self.airflow = self._bin / "airflow"
        self._folder = folder

    def install(self) -> None:
        """Build the wheel, make the environment, and install the wheel."""
        built = self._folder / "dist"
        _run([_UV, "build", "--quiet", "--wheel", "--out-dir", built, REPOSITORY])
        (wheel,) = built.glob("manifest_engine-*.whl")
        _run([_UV, "venv", "--quiet", "--python", sys.executable, self._folder / "venv"])
        constraints = ["--constraint", REPOSITORY / "constraints.txt"]
        words = ["pip", "install", "--quiet", "--python", self.python, *constraints, wheel]
        _run([_UV, *words])

    def run(self, *words: str, **variables: str) -> str:
        """Run a program of the environment and return its standard output."""
        return _run([self._bin / words[0], *words[1:]], self.environment(**variables))

    def environment(self, **variables: str) -> dict[str, str]:
        """Environment variables without those that lead to the checkout."""
        kept = {name: os.environ[name] for name in ("HOME", "LANG") if name in os.environ}
        path = os.pathsep.join([str(self._bin), Engine().exports()["PATH"]])
        return {**kept, "PATH": path, "AIRFLOW_HOME": str(self._folder / "airflow"), **variables}


class InstalledAirflow:
    """An Airflow of that environment, with its own port and SQLite."""

    name = "airflow-wheel"

    def __init__(self, installed: Installed, home: Path) -> None:
        self.url = f"http://127.0.0.1:{_PORT}"
        self._installed = installed
        self._home = home

    def start(self) -> None:
        """Start Airflow and wait until the DAGs are known. Raises SandboxError."""
        airflow_configuration.write(self._home, self.url)
        variables = self._variables()
        connections = str(airflow_configuration.connections(self._home))
        self._installed.run("airflow", "db", "migrate", **variables)
        self._installed.run("airflow", "connections", "import", connections, **variables)
        process.start(
            self.name,
            [self._installed.airflow, "standalone"],
            env=self._installed.environment(**variables),
            inherit=False,
        )
        wait_until(self._not_ready, 180, "the Airflow of the wheel", pause=0.5)

    def stop(self) -> None:
        process.stop(self.name)

    def token(self) -> str:
        """A bearer token of Airflow's REST API."""
        passwords = json.loads(airflow_configuration.passwords(self._home).read_text())
        login = {"username": "admin", "password": passwords["admin"]}
        answer = requests.post(f"{self.url}/auth/token", json=login, timeout=30)
        answer.raise_for_status()
        return str(answer.json()["access_token"])

    def _not_ready(self) -> str | None:
        if problem := process.require_alive(self.name):
            return problem
        try:
            known = AirflowApi(self).get("dags?limit=10")["dags"]
        except requests.RequestException as error:
            return f"no answer at {self.url} ({type(error).__name__})"
        return None if any(dag["dag_id"] == "deploy_service" for dag in known) else "no DAGs yet"

    def _variables(self) -> dict[str, str]:
        """The settings of docs/install.md, and the port."""
        path = self._installed.run("python", "-m", "manifest_engine", "dags-folder").strip()
        bundle = {
            "name": "manifest-engine",
            "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle",
            "kwargs": {"path": path},
        }
        (self._home / "plugins").mkdir(exist_ok=True)
        return {
            "AIRFLOW_HOME": str(self._home),
            "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": json.dumps([bundle]),
            "AIRFLOW__CORE__PLUGINS_FOLDER": str(self._home / "plugins"),
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{self._home}/airflow.db?timeout=30",
            "AIRFLOW__API__PORT": str(_PORT),
            "MANIFEST_ENGINE_ENVIRONMENTS": str(airflow_configuration.environments(self._home)),
            "MANIFEST_ENGINE_STORE": f"file://{self._home / 'artifacts'}",
            "REQUESTS_CA_BUNDLE": str(SETTINGS.ca_bundle),
            "SSL_CERT_FILE": str(SETTINGS.ca_bundle),
        }


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    made = Installed(tmp_path_factory.mktemp("wheel"))
    made.install()
    return made


@pytest.fixture(scope="session")
def airflow(installed: Installed, environment: dict[str, str]) -> Iterator[InstalledAirflow]:
    """The Airflow, which runs until the tests end."""
    home = Airflow().home.with_name("airflow-wheel")
    shutil.rmtree(home, ignore_errors=True)
    server = InstalledAirflow(installed, home)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(home, ignore_errors=True)


def _run(words: list[str | Path], variables: dict[str, str] | None = None) -> str:
    done = subprocess.run(
        [str(word) for word in words],
        check=False,
        capture_output=True,
        text=True,
        env=variables,
        cwd="/",
    )
    assert done.returncode == 0, f"{words}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
    return done.stdout
