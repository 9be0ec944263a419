"""Runs our two steps as Airflow does: each in a fork of a process that has imported everything.

Reads a JSON line per deployment and writes a JSON line: ``{"seconds": …, "core_seconds": …}``.
``core_seconds`` is the time of building and pushing only, without the checks.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

import airflow.providers.microsoft.azure.fs.adls
import docker.tls
import manifest_engine.hooks.builder.hook
import manifest_engine.hooks.registry.acr
import manifest_engine.hooks.registry.api
import manifest_engine.hooks.storage.artifact_store
import requests
import structlog
import tenacity
from manifest_engine.hooks.builder.hook import BuilderHook
from manifest_engine.operators.image.build_image import BuildImage
from manifest_engine.operators.image.push_image import PushImage

_IMPORTED = (airflow, docker.tls, manifest_engine, requests, tenacity)
"""Modules that the scheduler imports before it forks."""
_core: list[float] = []


def main() -> None:
    said = sys.stdout
    sys.stdout = sys.stderr  # logs
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    BuilderHook.build = _timed(BuilderHook.build)  # type: ignore[method-assign]
    BuilderHook.push = _timed(BuilderHook.push)  # type: ignore[method-assign]
    print(json.dumps({"seconds": 0, "core_seconds": 0}), file=said, flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        begin = time.monotonic()
        build, core = _forked(
            lambda asked=asked: BuildImage(
                task_id="build_image", release=asked["release"], artifact=asked["artifact"]
            )
        )
        if asked["push"]:
            _, more = _forked(
                lambda asked=asked, build=build: PushImage(
                    task_id="push_image", release=asked["release"], build=build
                )
            )
            core += more
        told = {"seconds": time.monotonic() - begin, "core_seconds": core}
        print(json.dumps(told), file=said, flush=True)


def _forked(step: Callable[[], Any]) -> tuple[Any, float]:
    """Run a step in a child; returns its XCom and the seconds of building and pushing."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            result = step().run({})
            with os.fdopen(writer, "w") as answer:
                json.dump([result, sum(_core)], answer)
            os._exit(0)
        except BaseException:
            sys.excepthook(*sys.exc_info())
            sys.stderr.flush()
            os._exit(1)
    os.close(writer)
    with os.fdopen(reader) as answer:
        text = answer.read()
    os.waitpid(pid, 0)
    if not text:
        sys.exit("a step failed")
    result, core = json.loads(text)
    return result, core


def _timed(method: Callable[..., Any]) -> Callable[..., Any]:
    def timed(*words: Any, **named: Any) -> Any:
        begin = time.monotonic()
        try:
            return method(*words, **named)
        finally:
            _core.append(time.monotonic() - begin)

    return timed


main()
