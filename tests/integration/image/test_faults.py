"""Engines that restart or have a full disk: a clear, retryable error."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest
from manifest_engine.domain.core.errors import BuildError
from manifest_engine.hooks.builder.hook import BuilderHook

from sandbox.engine.dockerd import Daemon
from tests.integration.image.test_ending import SlowBuild
from tests.small_disk import engine_on_small_disk

if TYPE_CHECKING:
    from tests.integration.image.conftest import Service

_SLOT = 4
_MIB = 700
"""Size of the disk: enough for the base image, too small for the build."""


@pytest.fixture
def daemon(docker_host: str) -> Iterator[Daemon]:
    with engine_on_small_disk("engine-faulty", _SLOT, _MIB) as made:
        yield made


@pytest.fixture
def faulty(daemon: Daemon, connections: Callable[..., None]) -> str:
    connections("faulty", conn_type="docker", host=daemon.host)
    return "faulty"


def test_a_full_disk_is_named_and_retryable(service: Service, faulty: str) -> None:
    dockerfile = f"FROM python:3.11\nRUN dd if=/dev/zero of=/big bs=1M count={_MIB}\n"
    with pytest.raises(BuildError, match="builder 'faulty': its disk is full: free some") as it:
        service.build(service.zip(**{"scripts/Dockerfile": dockerfile}), builder=faulty)
    assert it.value.retryable


def test_an_artifact_that_does_not_fit_on_the_builder_s_disk(service: Service, faulty: str) -> None:
    content = (
        os.urandom(1 << 14) + bytes(63 << 14)
    ) * _MIB  # compresses too little to count as a ZIP bomb
    big = service.zip(**{"scripts/Dockerfile": "FROM scratch\nCOPY . /\n", "a": content})
    with pytest.raises(BuildError, match="its disk is full") as caught:
        service.build(big, builder=faulty)
    assert caught.value.retryable


def test_an_engine_that_stops_during_the_build_is_retryable(
    service: Service, faulty: str, daemon: Daemon
) -> None:
    slow = SlowBuild(service)

    def stop() -> None:
        slow.wait_until(running=True, seconds=60)
        daemon.stop()

    stopper = threading.Thread(target=stop)
    stopper.start()
    try:
        with pytest.raises(BuildError, match="builder 'faulty'") as caught:
            service.build(slow.artifact, builder=faulty)
    finally:
        stopper.join()
    assert caught.value.retryable


def test_an_engine_failure_after_the_build_loses_only_the_cache(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise BuildError("The builder does not answer.", retryable=True)

    service.ship(service.zip())
    monkeypatch.setattr(BuilderHook, "layers", fail)
    built = service.build(service.zip(**{"src/extra.py": "x = 1\n"}), version="1.0.1")
    assert built["image_id"]
    assert built["cache_image_id"] is None
    assert "The build cache could not be written: The builder does not answer." in service.log
