"""A server of the documented API, and the client's command line against it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from manifest_engine import __main__
from manifest_engine.client import deployments, events, server

from tests.unit.client.api_server import PASSWORD, Api

MANIFEST = {"component": "a", "serviceName": "b", "version": "1.0.0", "environment": "dev"}


class Clock:
    """The module ``time`` of the client: a pause ends at once, and the clock is put forward.

    :ivar pauses: seconds of each pause.
    """

    def __init__(self) -> None:
        self.pauses: list[float] = []

    def monotonic(self) -> float:
        return 1000 + sum(self.pauses)

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)


class Done(NamedTuple):
    """The end of a command."""

    status: int
    out: str
    err: str

    @property
    def objects(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    for module in (server, events, deployments):
        monkeypatch.setattr(module, "time", made)
    return made


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> Iterator[Api]:
    made = Api()
    monkeypatch.setenv("AIRFLOW_URL", made.url)
    monkeypatch.setenv("AIRFLOW_USER", "ada")
    monkeypatch.setenv("AIRFLOW_PASSWORD", PASSWORD)
    monkeypatch.delenv("AIRFLOW_TOKEN", raising=False)
    monkeypatch.setattr(server, "PATIENCE_SECONDS", 5.0)
    yield made
    made.close()


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    file = tmp_path / "manifest.json"
    file.write_text(json.dumps(MANIFEST))
    return file


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., Done]:
    """Runs ``python -m manifest_engine`` in this process."""

    def call(*words: str | Path) -> Done:
        try:
            status = __main__.main([str(word) for word in words])
        except SystemExit as end:
            status = int(end.code or 0)
        return Done(status, *capsys.readouterr())

    return call
