"""Services on a base image of their own, and what a nightly run makes of them."""

from __future__ import annotations

import os
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from kubernetes import client
from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_fixed

from sandbox.archives import zip_folder
from sandbox.deploy import AirflowApi, upload
from sandbox.part import SandboxError
from tests.e2e.conftest import EXAMPLES, SESSION

COMPONENT = f"nightly{SESSION}"
REVISION = "deployment.kubernetes.io/revision"
RECORD = "manifest-engine.io/built-from"
SERVER = b"""\
import http.server
import pathlib


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(pathlib.Path("/base").read_bytes())


http.server.ThreadingHTTPServer(("", 8002), Handler).serve_forever()
"""
"""Answers what its base image says."""


def dockerfile(base: str, *steps: str) -> bytes:
    lines = [f"FROM {base}", *steps, "COPY serve.py /", 'CMD ["python", "/serve.py"]']
    return "\n".join([*lines, ""]).encode()


class Night:
    """The sandbox as this test uses it."""

    def __init__(self, api: AirflowApi, apps: client.AppsV1Api, environment: dict[str, str]):
        self.api = api
        self.apps = apps
        self.namespace = environment["NAMESPACE"]
        self.variables = {**os.environ, **environment}
        self.base = f"{environment['REGISTRY']}/datafactory/{COMPONENT}/base:1"

    def push_base(self, text: str) -> None:
        """The base image now says this; the engine keeps no copy of it."""
        made = f"FROM python:3.11\nRUN echo {text} > /base\n".encode()
        for words, given in (
            (("build", "-q", "-t", self.base, "-"), made),
            (("push", "-q", self.base), b""),
            (("rmi", self.base), b""),
        ):
            subprocess.run(
                ["docker", *words], input=given, env=self.variables, check=True, capture_output=True
            )

    def deploy(self, **dockerfiles: bytes) -> None:
        """Upload and deploy services by name, side by side, until their URLs answer."""
        runs = {name: self.start(name, text) for name, text in dockerfiles.items()}
        for name, run_id in runs.items():
            assert self.wait("deploy_service", run_id, "record_release") == "success", name

    def start(self, name: str, text: bytes, version: str = "1.0") -> str:
        archive = zip_folder(EXAMPLES / "none", {"serve.py": SERVER, "scripts/Dockerfile": text})
        upload(archive, f"datafactory/{COMPONENT}/{name}/{version}/{name}-{version}.zip")
        manifest = {"component": COMPONENT, "serviceName": name, "version": version}
        return self.trigger("deploy_service", manifest | {"environment": "dev"})

    def rebuild(self, **conf: Any) -> tuple[str, dict[str, Any], str | None]:
        """A run to its end: its state, its table by service, and its sentence."""
        run_id = self.trigger("rebuild_services", {"environment": "dev"} | conf)
        state = self.wait("rebuild_services", run_id)
        run = f"dags/rebuild_services/dagRuns/{run_id}"
        table = self.api.xcom(run, "summarise", "table")
        rows = {row["service"].removeprefix(f"{COMPONENT}-"): row for row in table["rows"]}
        return state, rows, self.api.xcom(run, "summarise", "error")

    @retry(
        retry=retry_if_exception_type(SandboxError), stop=stop_after_attempt(4), wait=wait_fixed(2)
    )
    def trigger(self, dag_id: str, conf: dict[str, Any]) -> str:
        """Start a run; a busy database refuses now and then."""
        run_id = f"e2e-nightly-{time.time_ns()}"
        self.api.trigger(dag_id, conf, run_id)
        return run_id

    def wait(self, dag_id: str, run_id: str, task: str = "", seconds: float = 400) -> str:
        """Until the run, or a task of it, has ended; its state."""
        run = f"dags/{dag_id}/dagRuns/{run_id}"
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            state = str((self.api.get(run) or {"state": "none"})["state"])
            if task and state == "running":
                state = str(self.api.get(f"{run}/taskInstances/{task}")["state"])
            if state in ("success", "failed", "skipped", "upstream_failed"):
                return state
            time.sleep(0.3)
        raise AssertionError(f"{run_id} is {state} after {seconds} s")

    def live(self, name: str) -> Any:
        return self.apps.read_namespaced_deployment(f"{COMPONENT}-{name}", self.namespace)

    def seen(self, names: list[str]) -> dict[str, tuple[str, str]]:
        """How often each was rolled out, and its image."""
        with ThreadPoolExecutor(4) as pool:
            found = dict(zip(names, pool.map(self.live, names), strict=True))
        return {
            name: (item.metadata.annotations[REVISION], item.spec.template.spec.containers[0].image)
            for name, item in found.items()
        }

    def note(self, name: str, **annotations: str | None) -> None:
        """Change annotations of the Deployment; None removes one."""
        body = {"metadata": {"annotations": annotations}}
        self.apps.patch_namespaced_deployment(f"{COMPONENT}-{name}", self.namespace, body)
