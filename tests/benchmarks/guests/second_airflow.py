"""A second Airflow with our DAGs and another team's DAGs.

It has its own port and database, and the settings of the sandbox's Airflow.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import requests

from sandbox.airflow import configuration as airflow_configuration
from sandbox.airflow import database
from sandbox.airflow.airflow import Airflow
from sandbox.core import process
from sandbox.core.part import wait_until
from sandbox.core.settings import REPOSITORY, SETTINGS

_DATABASE = "airflow_guests"
_PORT = SETTINGS.airflow_port + 20
_PROGRAM = Path(sys.executable).with_name("airflow")
_BUNDLE = "airflow.dag_processing.bundles.local.LocalDagBundle"


class SecondAirflow(Airflow):
    """A context manager that runs the Airflow and removes its files at the end."""

    name = "airflow-guests"

    def __init__(self) -> None:
        self.home = SETTINGS.state / "airflow-guests"
        self.url = f"http://127.0.0.1:{_PORT}"
        self.guests = self.home / "guests"
        """The folder of the other team's DAG files."""

    def __enter__(self) -> SecondAirflow:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        self.stop()
        self.guests.mkdir(parents=True)
        airflow_configuration.write(self.home, self.url)
        database.make_empty(_DATABASE)
        connections = airflow_configuration.connections(self.home)
        process.run(
            [sys.executable, "-m", "sandbox.airflow.setup", connections],
            what="making the second Airflow's database and connections",
            env=self._environment(),
            cwd=REPOSITORY,
        )
        process.start(self.name, [_PROGRAM, "standalone"], env=self._environment(), inherit=False)
        wait_until(lambda: self._alive() or self._health(), 300, "the second Airflow")
        requests.get(f"{self.url}/execution/health", timeout=120)
        wait_until(self._dags_known, 180, "the DAGs in the second Airflow", pause=0.5)

    def stop(self) -> None:
        super().stop()
        database.drop(_DATABASE)

    def _variables(self) -> dict[str, str]:
        folders = {"ours": REPOSITORY / "dags", "guests": self.guests}
        bundles = [
            {
                "name": name,
                "classpath": _BUNDLE,
                "kwargs": {"path": str(folder), "refresh_interval": 5},
            }
            for name, folder in folders.items()
        ]
        return super()._variables() | {
            "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": json.dumps(bundles),
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": database.url(self.home, _DATABASE),
            "AIRFLOW__API__PORT": str(_PORT),
        }
