"""Airflow: ``airflow standalone`` with LocalExecutor and short intervals."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import sys
from pathlib import Path

import requests

from sandbox.airflow import configuration as airflow_configuration
from sandbox.airflow import database
from sandbox.airflow.api import fetch_token
from sandbox.core import process
from sandbox.core.part import Part, SandboxError, wait_until
from sandbox.core.settings import REPOSITORY, SETTINGS
from sandbox.engine import docker_cli
from sandbox.engine.engine import Engine
from sandbox.kubernetes.kube import kubeconfig

_MADE_OF = f"{REPOSITORY} on {SETTINGS.database} for {kubeconfig()}"
_DAGS = ("deploy_service", "remove_service", "rollback_service")
_PROGRAM = Path(sys.executable).with_name("airflow")
_PLUGINS = REPOSITORY / "plugins"


class Airflow(Part):
    """Scheduler, DAG processor, triggerer and API server in one process group."""

    name = "airflow"
    needs = (
        "engine", "registry", "artifactory", "index",
        *(() if SETTINGS.database == "sqlite" else ("database",)),
    )  # fmt: skip
    """The database, and the parts whose credentials the Connections hold. Not the cluster."""

    def __init__(self) -> None:
        self.home = SETTINGS.state / "airflow"
        self.url = f"http://127.0.0.1:{SETTINGS.airflow_port}"

    def where(self) -> str:
        return self.url

    def exports(self) -> dict[str, str]:
        found = {
            "AIRFLOW_URL": self.url,
            "AIRFLOW_USER": "admin",
            "AIRFLOW_PASSWORD": self.password(),
        }
        return found | self._variables()

    def ready(self) -> str | None:
        if problem := process.require_alive(self.name):
            return problem
        if (source := (self.home / "made-of").read_text()) != _MADE_OF:
            return f"it runs {source}, not {_MADE_OF}"
        try:
            return self._health() or self._dags_known()
        except SandboxError as error:
            return str(error)

    def start(self) -> None:
        self.stop()
        self.home.mkdir(parents=True, exist_ok=True)
        (self.home / "made-of").write_text(_MADE_OF)
        airflow_configuration.write(self.home, self.url)
        process.run(
            [sys.executable, "-m", "manifest_engine", "register"],
            what="registering the package with Airflow",
            env=self._environment(),
        )
        database.make_empty()
        process.run(
            [
                sys.executable,
                "-m",
                "sandbox.airflow.setup",
                airflow_configuration.connections(self.home),
            ],
            what="making Airflow's database and connections",
            env=self._environment(),
            cwd=REPOSITORY,
        )
        self._run()

    def restart(self) -> None:
        """Restart the processes. Runs, Connections and logs are kept."""
        process.stop(self.name)
        self._run()

    def _run(self) -> None:
        _put_on_path()
        process.start(self.name, [_PROGRAM, "standalone"], env=self._environment(), inherit=False)
        wait_until(lambda: self._alive() or self._health(), 300, "Airflow")
        wait_until(self._execution_api, 120, "Airflow's execution API")
        wait_until(self._dags_known, 60, "the DAGs in Airflow", pause=0.5)

    def stop(self) -> None:
        process.stop(self.name)
        shutil.rmtree(self.home, ignore_errors=True)

    def token(self, user: str = "admin") -> str:
        """A bearer token of the REST API. Raises SandboxError."""
        return fetch_token(self.url, self.password(user), user)

    def _alive(self) -> str | None:
        problem = process.require_alive(self.name)
        if problem:
            raise SandboxError(f"{problem} (whole log: {process.log_file(self.name)})")
        return None

    def _execution_api(self) -> str | None:
        """Wait for the execution API. The first answer takes 3.5 s, and more than 30 s on a busy
        machine."""
        try:
            requests.get(f"{self.url}/execution/health", timeout=30)
        except requests.RequestException as error:
            return f"no answer at {self.url}/execution/health ({type(error).__name__})"
        return None

    def _health(self) -> str | None:
        try:
            answer = requests.get(f"{self.url}/api/v2/monitor/health", timeout=2).json()
        except (requests.RequestException, ValueError) as error:
            return f"no answer at {self.url} ({type(error).__name__})"
        for part in ("scheduler", "dag_processor", "triggerer"):
            if answer[part]["status"] != "healthy":
                return f"its {part} is {answer[part]['status']}"
        return None

    def _dags_known(self) -> str | None:
        headers = {"Authorization": f"Bearer {self.token()}"}
        broken = requests.get(f"{self.url}/api/v2/importErrors", headers=headers, timeout=10).json()
        if broken["total_entries"]:
            first = broken["import_errors"][0]
            last = first["stack_trace"].strip().splitlines()[-1]
            raise SandboxError(f"the DAG file {first['filename']} cannot be imported: {last}")
        for dag in _DAGS:
            answer = requests.get(f"{self.url}/api/v2/dags/{dag}", headers=headers, timeout=10)
            if answer.status_code != 200:
                return f"Airflow has not parsed the DAG {dag} yet"
        return None

    def password(self, user: str = "admin") -> str:
        """A user's password; empty before the first start."""
        try:
            return str(json.loads(airflow_configuration.passwords(self.home).read_text())[user])
        except FileNotFoundError:
            return ""

    def _variables(self) -> dict[str, str]:
        return {
            "AIRFLOW_HOME": str(self.home),
            "MANIFEST_ENGINE_ENVIRONMENTS": str(airflow_configuration.environments(self.home)),
            "MANIFEST_ENGINE_STORE": f"file://{self.home / 'artifacts'}",
            "REQUESTS_CA_BUNDLE": str(SETTINGS.ca_bundle),
            "SSL_CERT_FILE": str(SETTINGS.ca_bundle),
        }

    def _environment(self) -> dict[str, str]:
        """This process's environment without settings for another Airflow."""
        path = f"{_PROGRAM.parent}{os.pathsep}{Engine().exports()['PATH']}"
        # Airflow looks for Connection types before it adds the plugins folder to sys.path.
        own = {"PATH": path, "PYTHONPATH": str(_PLUGINS), **self._variables()}
        rest = {key: text for key, text in os.environ.items() if not key.startswith("AIRFLOW")}
        rest.pop("PYTHONDONTWRITEBYTECODE", None)  # else each task compiles our code
        return rest | own


def _put_on_path() -> None:
    """Write ``airflow`` beside ``docker``, so that PATH does not get our ``python``."""
    program = docker_cli.BIN / "airflow"
    words = f"PYTHONPATH={shlex.quote(str(_PLUGINS))} exec {shlex.quote(str(_PROGRAM))}"
    program.write_text(f'#!/bin/sh\n{words} "$@"\n')
    program.chmod(0o755)
