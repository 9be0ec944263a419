"""``python -m tests.benchmarks.build [--rounds N] [--big MIB]``: our build and push compared with a
script, for the standard service, on the sandbox's engine and registry.

Prints a table and writes ``.bench/build.json``. Ours are the two steps build_image and push_image
with registry checks, lint, build, build and push of the cache, and a check of the digest; "build
and push alone" leaves out what the script does not do. Both run in turn, so that the machine has
the same load. Memory is the sum of all processes; for ours, in addition to the waiting task.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

from sandbox.core import stack
from sandbox.core.settings import REPOSITORY, SETTINGS
from sandbox.engine import base_image, docker_cli
from sandbox.engine.dockerd import Daemon
from sandbox.parts import enabled_parts
from tests.benchmarks.build.measure import Figures, Task, by_hand
from tests.benchmarks.build.services import Bench

_SLOT = 1


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.build", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="of the quick cases")
    parser.add_argument("--big", type=int, default=1024, help="MiB of the big ZIP; 0: none")
    asked = parser.parse_args()
    known = stack.exports(enabled_parts())
    missing = {"REGISTRY", "INDEX_URL"} - known.keys()
    if missing:
        sys.exit(
            f"The sandbox has no {', '.join(sorted(missing))}; run: .venv/bin/python -m sandbox up "
            "--only base-image --only registry --only index"
        )
    with tempfile.TemporaryDirectory(prefix="bench-build-") as folder:
        cases = Runner(known, Path(folder)).cases(asked.rounds, asked.big)
    _tell(cases)


class Runner:
    """Runs the cases; each returns the figures of all its rounds."""

    def __init__(self, known: dict[str, str], folder: Path) -> None:
        self._known = known
        self._bench = Bench(folder, known["REGISTRY"])
        self._folder = folder

    def cases(self, rounds: int, big: int) -> dict[str, dict[str, float]]:
        made: dict[str, dict[str, float]] = {}
        warm = self._known.get("DOCKER_HOST", "unix:///var/run/docker.sock")
        name = f"bench-{uuid4().hex[:6]}"
        self._push_base(warm)
        made["cold"] = self._on_empty_engines(self._bench.zip(name, 0), name)
        with self._task(warm) as task:
            self._turns(
                Figures(), task, warm, [self._bench.zip(name, 1)], name
            )  # fills the caches of both
            same = [self._bench.zip(name, 1)] * rounds
            made["no change"] = self._turns(Figures(), task, warm, same, name).summary()
            changed = [self._bench.zip(name, 2 + n) for n in range(rounds)]
            figures = self._turns(Figures(), task, warm, changed, name)
            made["code-only change"] = figures.summary()
            made["code-only change, build and push alone"] = figures.core_summary()
        made["code-only change, empty engine"] = self._on_empty_engines(
            self._bench.zip(name, 900), name
        )
        if big:
            made[f"{big} MiB ZIP, build alone"] = self._on_empty_engines(
                self._bench.big_zip(name, big), name, push=False
            )
        return made

    def _push_base(self, host: str) -> None:
        """Push the base image, so that neither has to push its layers."""
        image = f"{self._known['REGISTRY']}/datafactory/bench/base:3.11"
        docker_cli.docker("tag", base_image.IMAGE, image, host=host, what="naming the base image")
        docker_cli.docker("push", "--quiet", image, host=host, what="pushing the base image")
        docker_cli.docker("rmi", image, host=host, what="forgetting that name")

    def _turns(
        self, figures: Figures, task: Task, host: str, zips: list[Path], name: str
    ) -> Figures:
        for file in zips:
            self._ours(figures, task, file, name)
            self._by_hand(figures, host, file, name)
        return figures

    def _on_empty_engines(self, file: Path, name: str, *, push: bool = True) -> dict[str, float]:
        """Each on a new engine, because a build fills the engine's cache."""
        figures = Figures()
        with self._engine() as host, self._task(host) as task:
            self._ours(figures, task, file, name, push=push)
        with self._engine() as host:
            self._by_hand(figures, host, file, name, push=push)
        return figures.summary()

    def _ours(
        self, figures: Figures, task: Task, file: Path, name: str, *, push: bool = True
    ) -> None:
        order = self._bench.order(name, file, push=push)
        before = _stored()
        run = task.run(order)
        figures.ours(run, _stored() - before)

    def _by_hand(
        self, figures: Figures, host: str, file: Path, name: str, *, push: bool = True
    ) -> None:
        env = {
            "DOCKER_HOST": host,
            "DOCKER_CONFIG": str(docker_cli.CONFIG),
            "PATH": f"{docker_cli.BIN}:{os.environ['PATH']}",
        }
        image = f"{self._known['REGISTRY']}/datafactory/by-hand/{name}:{file.stem}"
        before = _stored()
        run = by_hand(env, str(file), image, *([] if push else ["no-push"]))
        figures.script(run, _stored() - before)

    @contextmanager
    def _engine(self) -> Iterator[str]:
        """A new engine with only the base image."""
        daemon = Daemon("engine-bench", _SLOT)
        try:
            daemon.start()
            base_image.load(daemon.host)
            yield daemon.host
        finally:
            daemon.stop()

    @contextmanager
    def _task(self, host: str) -> Iterator[Task]:
        known = self._known
        connections: dict[str, dict[str, Any]] = {
            "docker_default": {"conn_type": "docker", "host": host},
            "acr_default": {
                "conn_type": "acr",
                "host": known["REGISTRY"],
                "login": known["REGISTRY_USER"],
                "password": known["REGISTRY_PASSWORD"],
            },
            "package_index_default": {
                "conn_type": "http",
                "host": known["INDEX_URL"],
                "login": known["INDEX_USER"],
                "password": known["INDEX_PASSWORD"],
            },
        }
        env = {f"AIRFLOW_CONN_{k.upper()}": json.dumps(v) for k, v in connections.items()}
        home = self._folder / "airflow"
        env |= {
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "MANIFEST_ENGINE_STORE": f"file://{self._bench.store}",
            "REQUESTS_CA_BUNDLE": str(SETTINGS.ca_bundle),
            "SSL_CERT_FILE": str(SETTINGS.ca_bundle),
            "PYTHONPATH": f"{REPOSITORY}/plugins:{REPOSITORY}",
        }
        task = Task(env)
        try:
            yield task
        finally:
            task.stop()
            shutil.rmtree(home, ignore_errors=True)


def _stored() -> int:
    """Size of the registry's storage in bytes."""
    blobs = SETTINGS.state / "registry/storage"
    return sum(path.stat().st_size for path in blobs.rglob("data"))


def _tell(cases: dict[str, dict[str, float]]) -> None:
    target = REPOSITORY / ".bench/build.json"
    target.parent.mkdir(exist_ok=True)
    target.write_text(json.dumps({"cases": cases}, indent=2) + "\n")
    print(
        "| case | ours s | script s | ratio | ours MiB | script MiB | pushed KiB, ours | script |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for name, figures in cases.items():
        print(f"| {name} | " + " | ".join(str(value) for value in figures.values()) + " |")


main()
