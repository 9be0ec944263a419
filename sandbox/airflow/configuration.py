"""Airflow's settings, its Connections, and the environments of manifests."""

from __future__ import annotations

import base64
import configparser
import copy
import io
import json
import secrets
from pathlib import Path

import yaml

from sandbox.airflow import database
from sandbox.core import credentials
from sandbox.core.settings import REPOSITORY, SETTINGS
from sandbox.engine.engine import Engine
from sandbox.kubernetes import pull_secret, rbac
from sandbox.kubernetes.cluster import Cluster
from sandbox.routing.gateway import Gateway
from sandbox.services.artifactory.artifactory import Artifactory
from sandbox.services.azure import arm
from sandbox.services.index.index import Index
from sandbox.services.registry.registry import Registry

_LOCAL_SETTINGS = """\
import sys

if "scheduler" in sys.argv:
    import manifest_engine.preload
"""

USERS = {"admin": "admin", "deployer": "user", "viewer": "viewer"}
"""Role of each user in Airflow's simple auth manager: a ``user`` may start runs."""


def write(home: Path, url: str) -> None:
    """Write Airflow's configuration below ``home``. Only the owner can read secrets."""
    home.mkdir(parents=True, exist_ok=True)
    own = {user: secrets.token_urlsafe(12) for user in USERS}
    credentials.write_private(passwords(home), json.dumps(own))
    credentials.write_private(connections(home), json.dumps(desired_connections()))
    environments(home).write_text(yaml.safe_dump(desired_environments()))
    settings = configparser.RawConfigParser()
    settings.read_dict(_settings(home, url))
    text = io.StringIO()
    settings.write(text)
    credentials.write_private(home / "airflow.cfg", text.getvalue())
    (home / "config").mkdir(exist_ok=True)
    (home / "config/airflow_local_settings.py").write_text(_LOCAL_SETTINGS)


def passwords(home: Path) -> Path:
    """The file with the users' passwords."""
    return home / "passwords.json"


def connections(home: Path) -> Path:
    """The file that ``setup`` reads into the database."""
    return home / "connections.json"


def environments(home: Path) -> Path:
    """The sandbox's own ``environments.yaml``."""
    return home / "environments.yaml"


def _settings(home: Path, url: str) -> dict[str, dict[str, str]]:
    """The settings of ``airflow.cfg``."""
    return {
        "core": {
            "dags_folder": str(REPOSITORY / "dags"),
            "plugins_folder": str(REPOSITORY / "plugins"),
            "load_examples": "False",
            "executor": "LocalExecutor",
            "parallelism": "8",  # Airflow forks all workers at start, 60 MiB each
            "dags_are_paused_at_creation": "False",
            "simple_auth_manager_users": ",".join(f"{user}:{role}" for user, role in USERS.items()),
            "simple_auth_manager_passwords_file": str(passwords(home)),
            "execution_api_server_url": f"{url}/execution/",
            "test_connection": "Enabled",  # the Test button of Connection forms
            "fernet_key": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        },
        "database": {"sql_alchemy_conn": database.url(home)},
        "scheduler": {
            "scheduler_idle_sleep_time": "0.1",
            # Detect a killed worker after 15 s instead of 300 s.
            "task_instance_heartbeat_timeout": "15",
            "task_instance_heartbeat_timeout_detection_interval": "3",
            # Tasks of a killed scheduler are orphaned. The next scheduler checks at its start, when
            # the killed scheduler still counts as alive, and then every 300 s by default.
            "orphaned_tasks_check_interval": "15",
        },
        "workers": {"min_heartbeat_interval": "1"},
        "dag_processor": {"refresh_interval": "10"},
        "api": {
            "host": "127.0.0.1",
            "port": str(SETTINGS.airflow_port),
            "base_url": url,
            "secret_key": secrets.token_urlsafe(32),
        },
        "api_auth": {"jwt_secret": secrets.token_urlsafe(64)},
        "usage_data_collection": {"enabled": "False"},
    }


def _kubeconfig() -> str:
    """The given cluster's kubeconfig, else that of an account with the rights of rbac.yaml."""
    return Cluster().exports()["KUBECONFIG"] if SETTINGS.kubeconfig else str(rbac.kubeconfig())


def desired_connections() -> dict[str, dict[str, object]]:
    """The Airflow Connections of the environments, in Airflow's JSON form."""
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
            "extra": {"kube_config_path": _kubeconfig()},
        },
        "aks_default": arm.connection(),
    }


def desired_environments() -> dict[str, object]:
    """``include/environments.yaml`` with the sandbox's own addresses."""
    content = yaml.safe_load((REPOSITORY / "include/environments.yaml").read_text())
    dev = content["environments"]["dev"]
    dev["description"] = "Sandbox on this machine"
    # The index has only internal-utils; all other packages are public.
    dev["packageIndex"]["mode"] = "first"
    dev["cluster"]["namespace"] = SETTINGS.namespace
    dev["cluster"]["imagePullSecrets"] = [pull_secret.NAME]
    dev["routing"]["url"] = Gateway().exports()["GATEWAY_URL"]
    del dev["routing"]["host"]
    # All environments share one host, so a service can be live in only one of them.
    prod = copy.deepcopy(dev)
    prod["description"] = "Sandbox, after an approval"
    prod["cluster"]["namespace"] = SETTINGS.approved_namespace
    prod["approval"] = {"approvers": ["admin"], "timeoutMinutes": 60}
    content["environments"]["prod"] = prod
    stage = copy.deepcopy(prod)
    stage["description"] = "Sandbox, after an approval; rebuilds need no approval"
    stage["cluster"]["namespace"] = SETTINGS.exempt_namespace
    stage["approval"]["exemptRebuilds"] = True
    content["environments"]["stage"] = stage
    if SETTINGS.kubeconfig:
        return content  # a given cluster does not trust our tenant
    # The same cluster through ARM and Entra ID, with the rights of include/rbac.yaml.
    aks = copy.deepcopy(dev)
    aks["description"] = "Sandbox as an AKS cluster"
    aks["cluster"]["connection"] = "aks_default"
    content["environments"]["aks"] = aks
    return content
