"""``python -m sandbox deploy``: uploads a ZIP and deploys it with the client for pipelines.

:func:`deploy` and :func:`follow` are for tests, which also need runs of other DAGs and of manifests
that the API refuses.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import uuid
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import requests

from sandbox.airflow.airflow import Airflow
from sandbox.airflow.api import AirflowApi, Server
from sandbox.airflow.archives import zip_folder
from sandbox.core.part import SandboxError
from sandbox.core.settings import REPOSITORY
from sandbox.services.artifactory.artifactory import Artifactory

_STEPS = (
    "validate",
    "download_artifact",
    "build_image",
    "push_image",
    "smoke_test",
    "apply_deployment",
    "publish_route",
    "watch_release",
    "record_release",
    "describe_image",
)
_FINISHED = {"success", "failed", "upstream_failed", "skipped", "removed"}
_POLL_SECONDS = 0.8


@dataclass
class Outcome:
    """The result of a deployment, and the output of ``--json``."""

    run_id: str
    state: str = "queued"
    steps: dict[str, dict[str, Any]] = field(default_factory=dict)
    seconds: float = 0.0
    digest: str | None = None
    url: str | None = None
    failed_step: str | None = None
    error: str | None = None

    @property
    def ok(self) -> bool:
        return self.state == "success"


def upload(archive: bytes, path: str) -> None:
    """Deploy the ZIP to Artifactory at ``repo/path/file.zip``."""
    exports = Artifactory().exports()
    answer = requests.put(
        f"{exports['ARTIFACTORY_URL']}/{path}",
        data=archive,
        headers={"Authorization": f"Bearer {exports['ARTIFACTORY_TOKEN']}"},
        timeout=600,
    )
    if answer.status_code != 201:
        raise SandboxError(f"Artifactory refused {path}: HTTP {answer.status_code} {answer.text}")


def deploy(
    archive: bytes | None,
    manifest: dict[str, Any],
    *,
    to_end: bool = False,
    airflow: Server | None = None,
) -> Outcome:
    """Upload the ZIP to the manifest's artifact path, trigger the DAG and follow the run.

    :param to_end: wait for the end of the run; see :func:`follow`.
    """
    if archive is not None:
        upload(archive, _artifact_path(manifest))
    api = AirflowApi(airflow or Airflow())
    run_id = f"sandbox-{time.strftime('%Y%m%dT%H%M%S')}-{uuid.uuid4().hex[:6]}"
    api.trigger("deploy_service", manifest, run_id)
    return follow(api, run_id, to_end=to_end)


def follow(
    api: AirflowApi,
    run_id: str,
    *,
    dag_id: str = "deploy_service",
    to_end: bool = True,
) -> Outcome:
    """Show the steps of a run and return its outcome.

    :param to_end: wait for the end of the run. Without it, return once ``record_release`` succeeds,
        while the run still describes the image.
    """
    run = f"dags/{dag_id}/dagRuns/{run_id}"
    outcome = Outcome(run_id)
    begin = time.monotonic()
    while outcome.state not in ("success", "failed"):
        time.sleep(_POLL_SECONDS)
        tasks = api.get(f"{run}/taskInstances?limit=100")["task_instances"]
        for item in tasks:
            state, took = item["state"] or "waiting", item["duration"]
            seconds = round(took, 1) if took is not None else None
            outcome.steps[item["task_id"]] = {
                "state": state,
                "seconds": seconds,
                "tries": item["try_number"],
            }
        if all(item["state"] in _FINISHED for item in tasks):
            outcome.state = api.get(run)["state"]
        elif not to_end and outcome.steps.get("record_release", {}).get("state") == "success":
            outcome.state = "success"
    outcome.seconds = round(time.monotonic() - begin, 1)
    outcome.digest = (api.xcom(run, "push_image") or {}).get("digest")
    if outcome.ok:
        outcome.url = (api.xcom(run, "record_release") or {}).get("url")
    else:
        names = (*_STEPS, *outcome.steps)
        failed = [name for name in names if outcome.steps.get(name, {}).get("state") == "failed"]
        outcome.failed_step = failed[0] if failed else None
        if outcome.failed_step:
            outcome.error = api.xcom(run, outcome.failed_step, "error")
    return outcome


def _artifact_path(manifest: dict[str, Any]) -> str:
    if manifest.get("artifact"):
        return str(manifest["artifact"])
    try:
        name, version = manifest["serviceName"], manifest["version"]
        return f"datafactory/{manifest['component']}/{name}/{version}/{name}-{version}.zip"
    except KeyError as error:
        raise SandboxError(
            f"the manifest has no {error.args[0]}, so the path of the ZIP is unknown"
        ) from None


def main(zip_file: Path, manifest_file: Path, *, as_json: bool) -> int:
    """Run the command ``deploy``, and return the client's exit status (``docs/pipelines.md``)."""
    for path in (zip_file, manifest_file):
        if not path.exists():
            raise SandboxError(f"{path} does not exist")
    try:
        manifest = json.loads(manifest_file.read_text())
    except ValueError as error:
        raise SandboxError(f"{manifest_file} is not valid JSON: {error}") from None
    archive = zip_folder(zip_file) if zip_file.is_dir() else zip_file.read_bytes()
    upload(archive, _artifact_path(manifest))
    begin = time.monotonic()
    options = ["--json"] if as_json else []
    done = subprocess.run(
        [sys.executable, "-m", "manifest_engine", "deploy", manifest_file, *options],
        env={**os.environ, **Airflow().exports(), "PYTHONPATH": str(REPOSITORY / "plugins")},
        stdout=subprocess.PIPE if as_json else None,
        check=False,
    )
    if as_json:
        made = json.loads(done.stdout.splitlines()[-1])
        print(json.dumps(asdict(_outcome(made, time.monotonic() - begin)), indent=2))
    return done.returncode


def _outcome(made: dict[str, Any], seconds: float) -> Outcome:
    """The result of the client; a refused manifest counts as failed in ``validate``."""
    problems = [item["detail"] for item in made.get("errors", [])]
    return Outcome(
        run_id=made.get("id", ""),
        state="success" if made["exitStatus"] == 0 else "failed",
        steps={
            step["name"]: {
                "state": step["state"].replace("succeeded", "success"),
                "seconds": step["seconds"],
                "tries": step["tries"],
            }
            for step in made.get("steps", [])
        },
        seconds=round(seconds, 1),
        digest=made.get("digest"),
        url=made.get("url"),
        failed_step=made.get("failedStep", "validate" if problems else None),
        error="; ".join(problems) or made.get("error"),
    )
