"""Airflow itself: ``airflow standalone`` on SQLite, tuned so that a demo is quick."""

from __future__ import annotations

import base64
import configparser
import copy
import io
import json
import os
import secrets
import shutil
import sys
from pathlib import Path

import requests
import yaml

from sandbox import process
from sandbox.part import Part, SandboxError, wait_until
from sandbox.settings import REPOSITORY, SETTINGS

_DAGS = ("deploy_service",)

# Airflow forks a child per task: what is imported before the fork costs nothing after it.
_LOCAL_SETTINGS = """\
import sys

if "scheduler" in sys.argv:
    import airflow.dag_processing.dagbag
    import airflow.providers.cncf.kubernetes.operators.pod
    import airflow.sdk.execution_time.supervisor
    import docker
    import kubernetes.dynamic
"""


class Airflow(Part):
    """Scheduler, DAG processor, triggerer and API server in one process group."""

    name = "airflow"
    needs = ("engine", "registry", "artifactory", "index")
    """Those whose credentials its connections hold; it starts beside the cluster."""

    def __init__(self) -> None:
        self.home = SETTINGS.state / "airflow"
        self.url = f"http://127.0.0.1:{SETTINGS.airflow_port}"

    def where(self) -> str:
        return self.url

    def exports(self) -> dict[str, str]:
        found = {
            "AIRFLOW_URL": self.url,
            "AIRFLOW_USER": "admin",
            "AIRFLOW_PASSWORD": self._password(),
        }
        return found | self._variables()

    def ready(self) -> str | None:
        if problem := process.require_alive(self.name):
            return problem
        if (self.home / "checkout").read_text() != str(REPOSITORY):
            return f"it serves another checkout, {(self.home / 'checkout').read_text()}"
        try:
            return self._health() or self._dags_known()
        except SandboxError as error:
            return str(error)

    def start(self) -> None:
        self.stop()
        self.home.mkdir(parents=True, exist_ok=True)
        (self.home / "checkout").write_text(str(REPOSITORY))
        self._write_configuration()
        process.run(
            [sys.executable, "-m", "sandbox.airflow_setup", self.home / "connections.json"],
            what="making Airflow's database and connections",
            env=self._environment(),
            cwd=REPOSITORY,
        )
        self._run()

    def restart(self) -> None:
        """Stop and start the processes; runs, connections and logs are kept."""
        process.stop(self.name)
        self._run()

    def _run(self) -> None:
        airflow = Path(sys.executable).parent / "airflow"
        process.start(self.name, [airflow, "standalone"], env=self._environment(), inherit=False)
        wait_until(lambda: self._alive() or self._health(), 120, "Airflow")
        # The first request to the execution API costs 3.5 s: not the first deployment shall pay it.
        requests.get(f"{self.url}/execution/health", timeout=30)
        wait_until(self._dags_known, 60, "the DAGs in Airflow", pause=0.5)

    def stop(self) -> None:
        process.stop(self.name)
        shutil.rmtree(self.home, ignore_errors=True)

    def token(self) -> str:
        """A bearer token of Airflow's REST API. Raises SandboxError when it is refused."""
        answer = requests.post(
            f"{self.url}/auth/token",
            json={"username": "admin", "password": self._password()},
            timeout=30,
        )
        if not answer.ok:
            raise SandboxError(f"Airflow at {self.url} gave no token: HTTP {answer.status_code}")
        return str(answer.json()["access_token"])

    def _alive(self) -> str | None:
        problem = process.require_alive(self.name)
        if problem:
            raise SandboxError(f"{problem} (whole log: {process.log_file(self.name)})")
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
                return f"the DAG {dag} is not there yet"
        return None

    def _password_file(self) -> Path:
        return self.home / "passwords.json"

    def _password(self) -> str:
        try:
            return str(json.loads(self._password_file().read_text())["admin"])
        except FileNotFoundError:
            return ""

    def _write_configuration(self) -> None:
        _write_private(self._password_file(), json.dumps({"admin": secrets.token_urlsafe(12)}))
        _write_private(self.home / "connections.json", json.dumps(_connections()))
        (self.home / "environments.yaml").write_text(yaml.safe_dump(_environments()))
        configuration = configparser.RawConfigParser()
        configuration.read_dict(self._configuration())
        text = io.StringIO()
        configuration.write(text)
        _write_private(self.home / "airflow.cfg", text.getvalue())
        (self.home / "config").mkdir(exist_ok=True)
        (self.home / "config/airflow_local_settings.py").write_text(_LOCAL_SETTINGS)

    def _configuration(self) -> dict[str, dict[str, str]]:
        """The settings of ``airflow.cfg``; the keys are the same for every process and restart."""
        return {
            "core": {
                "dags_folder": str(REPOSITORY / "dags"),
                "plugins_folder": str(REPOSITORY / "plugins"),
                "load_examples": "False",
                "executor": "LocalExecutor",
                "parallelism": "8",  # workers are forked up front, 60 MiB each
                "dags_are_paused_at_creation": "False",
                "simple_auth_manager_users": "admin:admin",
                "simple_auth_manager_passwords_file": str(self._password_file()),
                "execution_api_server_url": f"{self.url}/execution/",
                "test_connection": "Enabled",  # the button Test in a Connection's form
                "fernet_key": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
            },
            "scheduler": {
                "scheduler_idle_sleep_time": "0.1",
                # A worker that was killed is noticed after 15 s instead of 300.
                "task_instance_heartbeat_timeout": "15",
                "task_instance_heartbeat_timeout_detection_interval": "3",
            },
            "workers": {"min_heartbeat_interval": "1"},
            "dag_processor": {"refresh_interval": "10"},
            "api": {
                "host": "127.0.0.1",
                "port": str(SETTINGS.airflow_port),
                "base_url": self.url,
                "secret_key": secrets.token_urlsafe(32),
            },
            "api_auth": {"jwt_secret": secrets.token_urlsafe(64)},
            "usage_data_collection": {"enabled": "False"},
        }

    def _variables(self) -> dict[str, str]:
        return {
            "AIRFLOW_HOME": str(self.home),
            "MANIFEST_ENGINE_ENVIRONMENTS": str(self.home / "environments.yaml"),
            "MANIFEST_ENGINE_STORE": f"file://{self.home / 'artifacts'}",
            "REQUESTS_CA_BUNDLE": str(SETTINGS.ca_bundle),
            "SSL_CERT_FILE": str(SETTINGS.ca_bundle),
        }

    def _environment(self) -> dict[str, str]:
        """This process's environment without settings for an Airflow of someone else's."""
        from sandbox.engine import Engine

        path = f"{Path(sys.executable).parent}{os.pathsep}{Engine().exports()['PATH']}"
        # Types of Connections are looked for before Airflow itself adds the plugins to sys.path.
        own = {"PATH": path, "PYTHONPATH": str(REPOSITORY / "plugins"), **self._variables()}
        rest = {key: text for key, text in os.environ.items() if not key.startswith("AIRFLOW")}
        return rest | own


def _write_private(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text)


def _connections() -> dict[str, dict[str, object]]:
    """The Airflow Connections of the environments, in Airflow's JSON form."""
    from sandbox import arm
    from sandbox.artifactory import Artifactory
    from sandbox.cluster import Cluster
    from sandbox.engine import Engine
    from sandbox.index import Index
    from sandbox.registry import Registry

    artifactory = Artifactory().exports()
    engine = Engine().exports()
    registry = Registry().exports()
    index = Index().exports()
    return {
        "artifactory_default": {
            "conn_type": "artifactory",
            "host": artifactory["ARTIFACTORY_URL"],
            "password": artifactory["ARTIFACTORY_TOKEN"],
        },
        "docker_default": {
            "conn_type": "docker",
            "host": engine.get("DOCKER_HOST", "unix:///var/run/docker.sock"),
        },
        "package_index_default": {
            "conn_type": "http",
            "host": index["INDEX_URL"],
            "login": index["INDEX_USER"],
            "password": index["INDEX_PASSWORD"],
        },
        "acr_default": {
            "conn_type": "acr",
            "host": registry["REGISTRY"],
            "login": registry["REGISTRY_USER"],
            "password": registry["REGISTRY_PASSWORD"],
        },
        "kubernetes_default": {
            "conn_type": "kubernetes",
            "extra": {"kube_config_path": Cluster().exports()["KUBECONFIG"]},
        },
        "aks_default": arm.connection(),
    }


def _environments() -> dict[str, object]:
    """``include/environments.yaml`` with the sandbox's own addresses."""
    from sandbox.gateway import Gateway
    from sandbox.pull_secret import NAME

    content = yaml.safe_load((REPOSITORY / "include/environments.yaml").read_text())
    dev = content["environments"]["dev"]
    dev["description"] = "Sandbox on this machine"
    dev["cluster"]["namespace"] = SETTINGS.namespace
    dev["cluster"]["imagePullSecrets"] = [NAME]
    dev["routing"]["url"] = Gateway().exports()["GATEWAY_URL"]
    del dev["routing"]["host"]
    if SETTINGS.kubeconfig:
        return content  # a cluster that is given knows nothing of our tenant
    # The same cluster by way of ARM and Entra ID, with the rights of include/rbac.yaml and no more.
    aks = copy.deepcopy(dev)
    aks["description"] = "Sandbox as an AKS cluster"
    aks["cluster"]["connection"] = "aks_default"
    content["environments"]["aks"] = aks
    return content
