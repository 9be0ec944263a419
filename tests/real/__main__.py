"""Checks an installation and deploys, rolls back and removes a service of its own.

``MANIFEST_ENGINE_REAL_ENVIRONMENT`` names the environment; ``MANIFEST_ENGINE_ENVIRONMENTS`` and
``AIRFLOW_CONN_*`` say where it is (docs/install.md). The service is named ``real-check/RANDOM``,
where RANDOM is new for each run, and it is removed at the end.
"""

from __future__ import annotations

import os
import secrets
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]
COMPONENT = "real-check"
ENVIRONMENT = "MANIFEST_ENGINE_REAL_ENVIRONMENT"
ARTIFACT = "MANIFEST_ENGINE_REAL_ARTIFACT"


def main() -> int:
    name = os.environ.get(ENVIRONMENT)
    if not name:
        sys.stderr.write(f"Set {ENVIRONMENT} to the name of an environment (docs/install.md).\n")
        return 2
    with tempfile.TemporaryDirectory(prefix="manifest-engine-real-") as home:
        _own_airflow(Path(home))
        return _examine(name)


def _own_airflow(home: Path) -> None:
    """An Airflow with an empty SQLite database, so that no other Airflow sees the runs."""
    os.environ |= {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
        "AIRFLOW__CORE__DAGS_FOLDER": str(REPOSITORY / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(REPOSITORY / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    }
    os.environ.setdefault("MANIFEST_ENGINE_STORE", f"file://{home}/artifacts")
    from airflow.utils.db import initdb

    initdb()


def _examine(name: str) -> int:
    from manifest_engine.domain.doctor import finding, request
    from manifest_engine.domain.environment import environments
    from manifest_engine.services.doctor import checks, examination

    _, environment = request.parse({"environment": name}, environments.load())
    findings = examination.examine(checks.of(name, environment))
    if finding.failure(name, findings) is None:
        service = _Service(name, environment)
        for step in service.steps():
            findings.append(examination.judge("deployment", step))
            if findings[-1].state == finding.MISSING:
                break
        findings.append(examination.judge("deployment", service.removal()))
    print(finding.table(findings))
    return 0 if finding.failure(name, findings) is None else 1


class _Service:
    def __init__(self, name: str, environment: Any) -> None:
        self._environment_name, self._environment = name, environment
        self._service = f"s{secrets.token_hex(3)}"
        self._first: dict[str, Any] = {}
        self._second: dict[str, Any] = {}

    def steps(self) -> list[Any]:
        from manifest_engine.services.doctor.examination import Check

        named: dict[str, Callable[[], str]] = {
            "publish ZIP": self.publish,
            "deploy 1.0.0": self.deploy_first,
            "push and pull by digest": self.runs_by_digest,
            "referrers": self.has_referrer,
            "deploy 1.1.0": self.deploy_second,
            "rollback": self.roll_back,
        }
        return [Check(name, run) for name, run in named.items()]

    def removal(self) -> Any:
        """The step that runs at the end, also after a failure."""
        from manifest_engine.services.doctor.examination import Check

        return Check("removal", self.remove)

    def publish(self) -> str:
        """Upload the sample service, unless the team names an existing ZIP."""
        from manifest_engine.domain.doctor.finding import NotNeeded
        from manifest_engine.hooks.artifactory.hook import ArtifactoryHook

        from sandbox.airflow.archives import zip_folder

        if os.environ.get(ARTIFACT):
            raise NotNeeded(f"{self._artifact} is used, as {ARTIFACT} says.")
        client = ArtifactoryHook(self._environment.artifactory.connection).client
        answer = client.session.put(
            f"{client.errors.base}/{self._artifact}",
            data=zip_folder(REPOSITORY / "include/examples/services/plain-service"),
            auth=client.auth,
            verify=client.verify,
            timeout=60,
        )
        if not answer.ok:
            raise NotNeeded(
                f"{self._artifact} cannot be published (HTTP {answer.status_code}), which "
                f"deployments do not need; publish the ZIP of a service and set {ARTIFACT} to "
                "its path."
            )
        return f"{self._artifact} is published."

    def deploy_first(self) -> str:
        self._first = self._deploy("1.0.0")
        return f"{self._first['publish_route']['url']} answers."

    def deploy_second(self) -> str:
        self._second = self._deploy("1.1.0", env={"CHECKED": "again"})
        return f"{self._second['publish_route']['url']} answers."

    def runs_by_digest(self) -> str:
        """Check that the registry has the digest and the Deployment uses it."""
        from manifest_engine.hooks.registry.acr import AcrHook

        digest = self._first["push_image"]["digest"]
        acr = AcrHook(self._environment.registry.connection)
        assert acr.api.manifest(self._repository, digest) is not None, "the registry lacks it"
        assert digest in self._image(), f"the Deployment runs {self._image()}"
        return f"{acr.login_server}/{self._repository}@{digest}"

    def has_referrer(self) -> str:
        from manifest_engine.hooks.builder import sbom
        from manifest_engine.hooks.registry.acr import AcrHook

        api = AcrHook(self._environment.registry.connection).api
        attached = api.referrers(self._repository, self._first["push_image"]["digest"])
        assert attached.has(sbom.MEDIA_TYPE), "no SBOM is attached; see the log of describe_image"
        return "The SBOM is attached to the image."

    def roll_back(self) -> str:
        from tests.real import flow

        flow.run("rollback_service", self._conf(version="1.0.0"))
        digest = self._first["push_image"]["digest"]
        assert digest in self._image(), f"the Deployment runs {self._image()}"
        return "1.0.0 is live again."

    def remove(self) -> str:
        from tests.real import flow

        flow.run("remove_service", self._conf(confirm=self._name))
        return f"{self._name} is removed; its images and its ZIP stay."

    def _deploy(self, version: str, **fields: Any) -> dict[str, Any]:
        from tests.real import flow

        given = {"artifact": self._artifact, "version": version, "replicas": 1, **fields}
        return flow.run("deploy_service", self._conf(**given))

    def _conf(self, **fields: Any) -> dict[str, Any]:
        return {
            "component": COMPONENT,
            "serviceName": self._service,
            "environment": self._environment_name,
            **fields,
        }

    def _image(self) -> str:
        from manifest_engine.hooks.kubernetes.cluster import ClusterHook

        cluster = self._environment.cluster
        found = ClusterHook(cluster.connection).get(
            "apps/v1", "Deployment", self._name, cluster.namespace
        )
        return str(found["spec"]["template"]["spec"]["containers"][0]["image"]) if found else ""

    @property
    def _name(self) -> str:
        return f"{COMPONENT}-{self._service}"

    @property
    def _repository(self) -> str:
        return f"datafactory/{COMPONENT}/{self._service}"

    @property
    def _artifact(self) -> str:
        own = f"{self._environment.artifactory.repository}/{COMPONENT}/{self._service}.zip"
        return os.environ.get(ARTIFACT) or own


if __name__ == "__main__":
    sys.exit(main())
