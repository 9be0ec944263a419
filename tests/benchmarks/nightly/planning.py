"""Runs the step ``plan`` and prints its time, memory and number of requests.

A double answers look-ups of base images at once, so that the figures are those of the plan.
``python -m tests.benchmarks.nightly.planning DIGESTS``, a JSON object of digests by reference.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections import Counter
from types import SimpleNamespace
from typing import Any

import airflow.sdk
import structlog
from kubernetes.client import ApiClient
from manifest_engine.domain.image.base_images import Current
from manifest_engine.operators.rebuild.plan_rebuilds import PlanRebuilds
from manifest_engine.services.image.base_lookup import BaseLookup

from tests.benchmarks.nightly import recorded

_IMPORTED = (airflow.sdk, ApiClient)


def main(digests: dict[str, str]) -> None:
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    recorded.connect()
    asked: Counter[str] = Counter()
    request = ApiClient.request

    def counted(self: Any, method: str, url: str, **kwargs: Any) -> Any:
        asked[f"{method} {url.partition('?')[0].rpartition('/')[2]}"] += 1
        return request(self, method, url, **kwargs)

    def current(_self: Any, reference: str) -> Current:
        asked[f"base image {reference}"] += 1
        return Current(frozenset({digests[reference]}), pin=digests[reference])

    ApiClient.request = counted
    BaseLookup.current = current  # type: ignore[method-assign]
    pushed: dict[str, Any] = {}
    ti = SimpleNamespace(
        xcom_push=lambda key, value: pushed.update({key: value}), try_number=1, max_tries=0
    )
    context = {"ti": ti, "dag_run": SimpleNamespace(conf={}, run_type="scheduled")}
    before = _peak_mib()
    begin = time.monotonic()
    planned = PlanRebuilds(task_id="plan").execute(context)  # type: ignore[arg-type]
    found = {
        "seconds": round(time.monotonic() - begin, 2),
        "peak_mib": round(_peak_mib()),
        "of_it_imports_mib": round(before),
        "services": len(pushed["rows"]),
        "planned": len(planned),
        "asked": dict(asked),
    }
    sys.stdout.write(json.dumps(found) + "\n")


def _peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
