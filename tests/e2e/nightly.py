"""Services on their own base image, and nightly runs that rebuild them."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from kubernetes import client
from manifest_engine.domain.core import names

from sandbox.airflow.api import AirflowApi
from sandbox.airflow.archives import zip_folder
from sandbox.airflow.deploy import upload
from tests.e2e.conftest import EXAMPLES, SESSION
from tests.load import calling

COMPONENT = f"nightly{SESSION}"
REVISION = "deployment.kubernetes.io/revision"
RECORD = "manifest-engine.io/built-from"
_END_SECONDS = 400
SERVER = b"""\
import http.server
import os
import pathlib
import time


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(pathlib.Path("/base").read_bytes())


time.sleep(float(os.environ.get("COMES_UP_AFTER", "0")))
http.server.ThreadingHTTPServer(("", 8002), Handler).serve_forever()
"""
"""Answers with the text of its base image, and starts after ``COMES_UP_AFTER`` seconds."""


def dockerfile(base: str, *steps: str) -> bytes:
    lines = [f"FROM {base}", *steps, "COPY serve.py /", 'CMD ["python", "/serve.py"]']
    return "\n".join([*lines, ""]).encode()


@contextmanager
def load(*urls: str) -> Iterator[list[dict[str, Any]]]:
    """Call the URLs during the block; afterwards the dicts have the counts."""
    with ExitStack() as opened:
        yield [opened.enter_context(calling(url, 2, 0.05)) for url in urls]


class Night:
    """Helpers for services and nightly runs in the sandbox."""

    def __init__(self, api: AirflowApi, apps: client.AppsV1Api, environment: dict[str, str]):
        self.api = api
        self.apps = apps
        self.namespace = environment["NAMESPACE"]
        self.variables = {**os.environ, **environment}
        self.base = f"{environment['REGISTRY']}/datafactory/{COMPONENT}/base:1"

    def push_base(self, text: str) -> None:
        """Push a base image with this text. The engine keeps no copy."""
        made = f"FROM python:3.11\nRUN echo {text} > /base\n".encode()
        self._docker("build", "-q", "-t", self.base, "-", given=made)
        self._docker("push", "-q", self.base)
        self._docker("rmi", self.base)

    def take_tags(self, name: str) -> None:
        """Push the service's image under the tags of rebuilds in this and the next two minutes."""
        repository = f"{self.variables['REGISTRY']}/datafactory/{COMPONENT}/{name}"
        now = datetime.now(UTC)
        for minute in (now + timedelta(minutes=later) for later in range(3)):
            taken = f"{repository}:{names.rebuild_tag('1.0', minute)}"
            self._docker("pull", "-q", f"{repository}:1.0")
            self._docker("tag", f"{repository}:1.0", taken)
            self._docker("push", "-q", taken)
            self._docker("rmi", taken)

    def _docker(self, *words: str, given: bytes = b"") -> None:
        subprocess.run(
            ["docker", *words], input=given, env=self.variables, check=True, capture_output=True
        )

    def deploy(self, **dockerfiles: bytes) -> None:
        """Upload and deploy services in parallel, and wait until their URLs answer."""
        runs = {name: self.start(name, text) for name, text in dockerfiles.items()}
        for name, run_id in runs.items():
            assert self.wait("deploy_service", run_id, "record_release") == "success", name

    def start(self, name: str, text: bytes, version: str = "1.0", **fields: Any) -> str:
        archive = zip_folder(EXAMPLES / "none", {"serve.py": SERVER, "scripts/Dockerfile": text})
        upload(archive, f"datafactory/{COMPONENT}/{name}/{version}/{name}-{version}.zip")
        manifest = {"component": COMPONENT, "serviceName": name, "version": version}
        return self.trigger("deploy_service", manifest | {"environment": "dev"} | fields)

    def rebuild(self, **conf: Any) -> tuple[str, dict[str, Any], str | None]:
        """Run rebuild_services; returns the state, the rows by service, and the error."""
        run_id = self.trigger("rebuild_services", {"environment": "dev"} | conf)
        state = self.wait("rebuild_services", run_id)
        run = f"dags/rebuild_services/dagRuns/{run_id}"
        table = self.api.xcom(run, "summarise", "table")
        rows = {row["service"].removeprefix(f"{COMPONENT}-"): row for row in table["rows"]}
        return state, rows, self.api.xcom(run, "summarise", "error")

    def trigger(self, dag_id: str, conf: dict[str, Any]) -> str:
        """Start a run and return its id."""
        run_id = f"e2e-nightly-{time.time_ns()}"
        self.api.trigger(dag_id, conf, run_id)
        return run_id

    def run_again(self, dag_id: str, run_id: str) -> None:
        """Clear all tasks of a run, so that the run is late."""
        answer = self.api.session.post(
            f"{self.api.base}/dags/{dag_id}/dagRuns/{run_id}/clear",
            json={"dry_run": False},
            timeout=30,
        )
        answer.raise_for_status()

    def state(self, dag_id: str, run_id: str) -> str:
        """The state of a run; "none" if the run does not exist yet."""
        return str((self.api.get(f"dags/{dag_id}/dagRuns/{run_id}") or {"state": "none"})["state"])

    def wait(self, dag_id: str, run_id: str, task: str = "") -> str:
        """Wait for the end of the run or of one task; returns the state."""
        run = f"dags/{dag_id}/dagRuns/{run_id}"
        end = time.monotonic() + _END_SECONDS
        while time.monotonic() < end:
            state = self.state(dag_id, run_id)
            if task and state == "running":
                state = str(self.api.get(f"{run}/taskInstances/{task}")["state"])
            if state in ("success", "failed", "skipped", "upstream_failed"):
                return state
            time.sleep(0.8)
        raise AssertionError(f"{run_id} is {state} after {_END_SECONDS} s")

    def triggered(self, rebuilds: str, name: str) -> str:
        """The id of the run of ``deploy_service`` that a nightly run started for a service."""
        prefix = f"{rebuilds}__{COMPONENT}-{name}__"
        end = time.monotonic() + 120
        while time.monotonic() < end:
            runs = self.api.get("dags/deploy_service/dagRuns?limit=20&order_by=-run_after")
            for run in runs["dag_runs"]:
                if run["dag_run_id"].startswith(prefix):
                    return str(run["dag_run_id"])
            time.sleep(0.5)
        raise AssertionError(f"{rebuilds} has started no run for {name}")

    def live(self, name: str) -> Any:
        return self.apps.read_namespaced_deployment(f"{COMPONENT}-{name}", self.namespace)

    def seen(self, services: list[str]) -> dict[str, tuple[str, str]]:
        """The Deployment's revision and image, by service."""
        with ThreadPoolExecutor(4) as pool:
            found = dict(zip(services, pool.map(self.live, services), strict=True))
        return {
            name: (item.metadata.annotations[REVISION], item.spec.template.spec.containers[0].image)
            for name, item in found.items()
        }

    def note(self, name: str, **annotations: str | None) -> None:
        """Change annotations of the Deployment; None removes one."""
        body = {"metadata": {"annotations": annotations}}
        self.apps.patch_namespaced_deployment(f"{COMPONENT}-{name}", self.namespace, body)
