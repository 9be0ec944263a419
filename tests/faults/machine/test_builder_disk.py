"""The disk of the only builder is full, and has room again later."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sandbox.airflow.deploy import follow
from sandbox.engine.dockerd import Daemon
from tests.e2e.conftest import SESSION, Service
from tests.faults.moments import begin, told
from tests.faults.spare import connection, spare_environment
from tests.small_disk import engine_on_small_disk

BUILDER = f"builder-{SESSION}"
"""Name of the Airflow Connection, which the error has to name."""
_SLOT = 5
_MIB = 1500
"""Enough for the base image and the service's packages."""


@pytest.fixture(scope="module")
def engine(environment) -> Iterator[Daemon]:
    with engine_on_small_disk("engine-full", _SLOT, _MIB) as made:
        yield made


@pytest.fixture(scope="module")
def built_there(cluster, api, engine) -> Iterator[Service]:
    """A live service of an environment with this builder alone."""
    with (
        connection(api, BUILDER, "docker", host=engine.host),
        spare_environment(cluster, api, builders=[BUILDER]) as spare,
    ):
        made = Service("plain-service", f"faults-builder-disk-{SESSION}")
        first = made.deploy(environment=spare.name)
        assert first.ok, f"{first.failed_step}: {first.error}"
        yield made


@contextmanager
def full(file: Path) -> Iterator[None]:
    """Fill the file system of ``file`` to the last byte during a block."""
    try:
        with file.open("wb", buffering=0) as filler:
            block = bytes(1 << 20)
            while filler.write(block) == len(block):
                pass
            while filler.write(b"0" * 512):
                pass
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
    try:
        yield
    finally:
        file.unlink()


def test_the_builders_disk_full_and_emptied(*, faults, built_there, load, api, engine):
    expected = (
        "build_image says that the builder's disk is full, naming the builder; with room again, a "
        "retry succeeds; the old release serves on"
    )
    with faults.case("the builder's disk full, then emptied", expected) as case:
        code = built_there.source("plain-service", "emptied")
        with load(built_there) as found:
            with full(engine.folder / "filler"):
                run_id = begin(api, built_there, code, version="12.1")
                said = told(api, run_id, "build_image", "error")
            outcome = follow(api, run_id)
        tries = outcome.steps["build_image"]["tries"]
        case.seen = f"{said.splitlines()[0]} Then {outcome.state}, tries of build_image: {tries}"
        assert "its disk is full" in said
        assert BUILDER in said
        assert outcome.ok, f"{outcome.failed_step}: {outcome.error}"
        assert tries > 1
        case.load(found)
