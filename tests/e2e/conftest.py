"""End-to-end tests deploy in the running sandbox as Infra Hub and developers do.

If a part does not answer, every test fails and names the command that starts the sandbox.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Container, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes import client, config

from sandbox.airflow import configuration
from sandbox.airflow.airflow import Airflow
from sandbox.airflow.api import AirflowApi, Server
from sandbox.airflow.archives import zip_folder
from sandbox.airflow.deploy import Outcome, deploy
from sandbox.core import stack
from sandbox.core.settings import SETTINGS
from sandbox.parts import enabled_parts

SESSION = uuid.uuid4().hex[:6]
"""Part of every service's name, so that each session builds its own images."""
WATCHED_SECONDS = 3
EXAMPLES = Path(__file__).parents[2] / "include/examples"


def exports_of_the_sandbox(*, without: Container[str] = ()) -> dict[str, str]:
    """The sandbox's variables. Fails unless every part answers, except the parts ``without``."""
    parts = enabled_parts()
    needed = [part for part in parts if part.name not in without]
    if down := {part.name: problem for part in needed if (problem := part.ready())}:
        pytest.fail(f"The sandbox is not up, run `make up`: {down}", pytrace=False)
    return stack.exports(parts)


@pytest.fixture(scope="session", autouse=True)
def environment() -> dict[str, str]:
    return exports_of_the_sandbox()


def watching(environments: str, seconds: int | None) -> str:
    """The text of an ``environments.yaml`` whose environments watch new pods for this time.

    :param seconds: None for the default.
    """
    content = yaml.safe_load(environments)
    for found in content["environments"].values():
        found["cluster"].pop("minReadySeconds", None)
        if seconds is not None:
            found["cluster"]["minReadySeconds"] = seconds
    return str(yaml.safe_dump(content))


@pytest.fixture(scope="session", autouse=True)
def short_watch(environment: dict[str, str]) -> Iterator[None]:
    """Watch new pods for 3 s instead of 10 s, since most tests have another subject.

    Integration tests of the watch set their own time. Tasks read the file when they start.
    """
    file = configuration.environments(SETTINGS.state / "airflow")

    def watch(seconds: int | None) -> None:
        new = file.with_suffix(".new")
        new.write_text(watching(file.read_text(), seconds))
        new.replace(file)  # a task that starts now reads a whole file

    watch(WATCHED_SECONDS)
    yield
    watch(None)


@pytest.fixture(scope="session")
def api() -> AirflowApi:
    return AirflowApi(Airflow())


@pytest.fixture(scope="session")
def cluster(environment: dict[str, str]) -> client.ApiClient:
    return config.new_client_from_config(environment["KUBECONFIG"])


@pytest.fixture
def apps(cluster: client.ApiClient) -> client.AppsV1Api:
    return client.AppsV1Api(cluster)


class Service:
    """A sample service with a unique name, so that tests do not share objects."""

    airflow: Server | None = None
    """The Airflow that deploys the service; None for the sandbox's own Airflow."""

    def __init__(self, sample: str, name: str) -> None:
        self.folder = EXAMPLES / "services" / sample
        self.manifest: dict[str, Any] = {
            **json.loads((EXAMPLES / f"{sample}.json").read_text()),
            "component": "e2e",
            "serviceName": name,
        }

    @property
    def object_name(self) -> str:
        return f"e2e-{self.manifest['serviceName']}"

    def zip(self, changes: dict[str, bytes] | None = None) -> bytes:
        return zip_folder(self.folder, changes)

    def source(self, old: str, new: str) -> dict[str, bytes]:
        """The service's source with ``old`` replaced by ``new``."""
        text = (self.folder / "src/aiservice.py").read_text()
        assert old in text
        return {"src/aiservice.py": text.replace(old, new).encode()}

    def deploy(
        self,
        changes: dict[str, bytes] | None = None,
        archive: bytes | None = None,
        *,
        to_end: bool = False,
        **manifest: Any,
    ) -> Outcome:
        """Upload and deploy. ``manifest`` sets fields for this and later deployments.

        :param to_end: wait until the run has described the image.
        """
        self.manifest |= manifest
        return deploy(
            archive or self.zip(changes),
            self.manifest,
            to_end=to_end,
            airflow=self.airflow,
        )


@pytest.fixture
def service(
    request: pytest.FixtureRequest, cluster: client.ApiClient, environment: dict[str, str]
) -> Iterator[Callable[[str], Service]]:
    """Makes a service from a sample. Its objects are deleted after the test."""
    made: list[Service] = []

    def make(sample: str = "quote-service") -> Service:
        name = request.node.name.split("[")[0].removeprefix("test_").replace("_", "-")[:40]
        made.append(Service(sample, f"{name.strip('-')}-{len(made)}-{SESSION}"))
        return made[-1]

    yield make
    namespace = environment["NAMESPACE"]
    for item in made:
        remove(cluster, namespace, item.object_name)


def remove(cluster: client.ApiClient, namespace: str, name: str) -> None:
    """Delete every object of a service."""
    selector = f"app.kubernetes.io/instance={name}"
    apps, core = client.AppsV1Api(cluster), client.CoreV1Api(cluster)
    client.CustomObjectsApi(cluster).delete_collection_namespaced_custom_object(
        "gateway.networking.k8s.io", "v1", namespace, "httproutes", label_selector=selector
    )
    apps.delete_collection_namespaced_deployment(namespace, label_selector=selector)
    core.delete_collection_namespaced_service(namespace, label_selector=selector)
    client.PolicyV1Api(cluster).delete_collection_namespaced_pod_disruption_budget(
        namespace, label_selector=selector
    )
