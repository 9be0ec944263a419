"""Our two steps in a process of their own, as Airflow forks them: started, imported, and waiting.

Reads a JSON line per deployment and answers with one: ``{"seconds": …}``.
"""

from __future__ import annotations

import json
import sys
import time

import docker.tls
import manifest_engine.hooks.acr
import manifest_engine.hooks.artifact_store
import manifest_engine.hooks.builder
import manifest_engine.hooks.registry_api
import requests
import structlog
import tenacity
from manifest_engine.operators.build_image import BuildImage
from manifest_engine.operators.push_image import PushImage

_IMPORTED = (docker.tls, manifest_engine, requests, tenacity)
"""What the scheduler imports before it forks."""


def main() -> None:
    said = sys.stdout
    sys.stdout = sys.stderr  # logs
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    print(json.dumps({"seconds": 0}), file=said, flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        begin = time.monotonic()
        build = BuildImage(
            task_id="build_image", release=asked["release"], artifact=asked["artifact"]
        ).run({})
        if asked["push"]:
            PushImage(task_id="push_image", release=asked["release"], build=build).run({})
        print(json.dumps({"seconds": time.monotonic() - begin}), file=said, flush=True)


main()
