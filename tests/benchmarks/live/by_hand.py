"""The deployment by script: the files that a person would write, and runs of the script."""

from __future__ import annotations

import os
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml
from manifest_engine.domain.environment import environments
from manifest_engine.domain.manifest import manifest
from manifest_engine.domain.release import labels as label
from manifest_engine.domain.release import release
from manifest_engine.domain.route import routes
from manifest_engine.domain.workload import pod, resources

from sandbox.engine import docker_cli
from tests.benchmarks.live.steps import Deployment, Step

_SCRIPT = Path(__file__).with_name("by_hand.sh")
_NO_DIGEST = "sha256:" + "0" * 64


class ByHand:
    """Deploys one service by the script, with the same objects as ours, without our annotations.

    :param known: the sandbox's variables.
    :param asked: the manifest; each run has another version.
    """

    def __init__(self, known: dict[str, str], asked: dict[str, Any], folder: Path) -> None:
        self._known = known
        self._folder = folder
        self._release = _plan(known, asked)
        self._write()

    def run(self, archive: str, version: str) -> Deployment:
        """:param archive: the ZIP's path in Artifactory."""
        release = self._release
        known = self._known
        begin = time.time()
        done = subprocess.run(
            [
                *(_SCRIPT, self._folder, f"{known['ARTIFACTORY_URL']}/{archive}"),
                *(f"{release.image.rpartition(':')[0]}:{version}", release.name),
                release.url + release.manifest.health_path,
            ],
            env={
                **os.environ,
                "DOCKER_HOST": known.get("DOCKER_HOST", "unix:///var/run/docker.sock"),
                "DOCKER_CONFIG": str(docker_cli.CONFIG),
                "KUBECONFIG": str(self._folder / "kubeconfig"),
                "PATH": known["PATH"],
            },
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"the script by hand failed: {done.stderr}")
        made = Deployment(begin)
        before = begin
        for line in done.stdout.splitlines():
            name, end = line.split()
            made.steps.append(Step(name, before, float(end)))
            before = float(end)
        return made

    def _write(self) -> None:
        release = self._release
        namespace = release.environment.cluster.namespace
        config = yaml.safe_load(Path(self._known["KUBECONFIG"]).read_text())
        for context in config["contexts"]:
            context["context"]["namespace"] = namespace
        token = self._known["ARTIFACTORY_TOKEN"]
        texts = {
            "kubeconfig": yaml.safe_dump(config),
            "header": f"Authorization: Bearer {token}\n",
            "Dockerfile": (environments.INCLUDE / "Dockerfile").read_text(),
            "smoke.yaml": _manifest(release, _smoke_pod(release)),
            "deployment.yaml": _manifest(release, *resources.workload(release, _NO_DIGEST, {})),
            "route.yaml": _manifest(release, routes.route(release)),
        }
        for name, text in texts.items():
            with os.fdopen(os.open(self._folder / name, os.O_WRONLY | os.O_CREAT, 0o600), "w") as f:
                f.write(text)


def _plan(known: dict[str, str], asked: dict[str, Any]) -> release.Release:
    dev = environments.load(Path(known["MANIFEST_ENGINE_ENVIRONMENTS"]))[asked["environment"]]
    return release.plan(
        manifest.parse(asked),
        dev,
        login_server=known["REGISTRY"],
        run_id="by-hand",
        requested_at=datetime.now(UTC),
        requested_by="bench",
    )


def _smoke_pod(planned: release.Release) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "SMOKE", "labels": {label.INSTANCE: planned.name}},
        "spec": pod.pod_spec(planned, _NO_DIGEST) | {"restartPolicy": "Never"},
    }


def _manifest(planned: release.Release, *objects: dict[str, Any]) -> str:
    """The manifest that a person would write, without our annotations."""
    for item in objects:
        item["metadata"].pop("annotations", None)
    text = yaml.safe_dump_all(objects)
    return text.replace(planned.image_at(_NO_DIGEST), "IMAGE")
