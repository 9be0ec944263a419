"""An environment that is only there for a while, with a namespace that may be deleted."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import yaml
from kubernetes import client

from sandbox.airflow import configuration as airflow_configuration
from sandbox.airflow.api import AirflowApi
from sandbox.core.settings import SETTINGS
from sandbox.kubernetes import pull_secret
from tests.e2e.conftest import SESSION
from tests.faults.counting import Counting, counting

NAME = f"faults-{SESSION}"
"""Of the environment, its namespace and its Airflow Connection."""


@dataclass
class Spare:
    """The environment ``NAME``; what it asks of its cluster is counted."""

    cluster: Any
    counts: Counting
    name: str = NAME

    def make_namespace(self) -> None:
        """Make it with the Secret that pulls, once an earlier one of the name is gone."""
        core = client.CoreV1Api(self.cluster)
        end = time.monotonic() + 60
        while NAME in [item.metadata.name for item in core.list_namespace().items]:
            assert time.monotonic() < end, f"namespace {NAME} does not go"
            time.sleep(0.5)
        core.create_namespace({"metadata": {"name": NAME}})
        secret = core.read_namespaced_secret(pull_secret.NAME, SETTINGS.namespace)
        core.create_namespaced_secret(
            NAME,
            {"metadata": {"name": pull_secret.NAME}, "type": secret.type, "data": secret.data},
        )

    def delete_namespace(self) -> None:
        client.CoreV1Api(self.cluster).delete_namespace(NAME)


@contextmanager
def connection(api: AirflowApi, name: str, conn_type: str, **fields: Any) -> Iterator[str]:
    """An Airflow Connection for a while; its id."""
    made = {"connection_id": name, "conn_type": conn_type, **fields}
    api.session.post(f"{api.base}/connections", json=made, timeout=30).raise_for_status()
    try:
        yield name
    finally:
        api.session.delete(f"{api.base}/connections/{name}", timeout=30)


@contextmanager
def spare_environment(
    cluster: Any, api: AirflowApi, *, host: str = "127.0.0.1", **keys: Any
) -> Iterator[Spare]:
    """Tell Airflow of it while it is running, and make it forget at the end.

    :param host: name or address under which the cluster's Connection knows the API server.
    :param keys: keys of the environment that differ from those of ``dev``.
    """
    file = airflow_configuration.environments(SETTINGS.state / "airflow")
    with counting(cluster) as counts:
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "it",
            "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
            "clusters": [{"name": "it", "cluster": {"server": f"http://{host}:{counts.port}"}}],
            "users": [{"name": "it", "user": {}}],
        }
        extra = json.dumps({"kube_config": json.dumps(config)})
        spare = Spare(cluster, counts)
        with connection(api, NAME, "kubernetes", extra=extra):
            try:
                spare.make_namespace()
                content = yaml.safe_load(file.read_text())
                one = json.loads(json.dumps(content["environments"]["dev"]))
                one["cluster"] |= {"connection": NAME, "namespace": NAME}
                one |= keys
                content["environments"][NAME] = one
                file.write_text(yaml.safe_dump(content))
                _learn(api)
                yield spare
            finally:
                content = yaml.safe_load(file.read_text())
                content["environments"].pop(NAME, None)
                file.write_text(yaml.safe_dump(content))
                core = client.CoreV1Api(cluster)
                if NAME in [item.metadata.name for item in core.list_namespace().items]:
                    spare.delete_namespace()


def _learn(api: AirflowApi) -> None:
    """Have the DAG's form know the environment."""
    token = api.get("dags/deploy_service")["file_token"]
    api.session.put(f"{api.base}/parseDagFile/{token}", timeout=30)
    end = time.monotonic() + 120
    while True:
        details = api.get("dags/deploy_service/details")
        if NAME in details["params"]["environment"]["schema"]["enum"]:
            return
        assert time.monotonic() < end, f"Airflow does not learn of the environment {NAME}"
        time.sleep(0.5)
