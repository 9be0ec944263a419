"""Releases that the step applies to the real cluster; none is left."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.integration.names import NAME
from tests.integration.steps import apply_step


@pytest.fixture
def apply(
    digest: str, context: Callable[..., Any], kube: Callable[..., str], namespace: str
) -> Callable[..., Any]:
    """Runs the step with a good verdict, and waits in the task if it would defer."""
    from airflow.sdk.exceptions import TaskDeferred

    def run(release: Any, *, digest: str = digest, **changes: Any) -> dict[str, Any]:
        task = apply_step(release, digest, changes.get("verdict"))
        made = context(release.run_id)
        try:
            done = task.execute(made)
        except TaskDeferred as deferred:
            if not changes.get("wait", True):
                raise
            done = _resume(task, made, deferred)
        if not changes.get("keep_lease"):
            kube("delete", "lease", NAME, "-n", namespace)  # as publish_route does in the end
        return done

    return run


def _resume(task: Any, made: Any, deferred: Any) -> dict[str, Any]:
    import asyncio

    event = asyncio.run(anext(deferred.trigger.run())).payload
    return getattr(task, deferred.method_name)(made, event, **(deferred.kwargs or {}))


@pytest.fixture(autouse=True)
def nothing_left(kube: Any, namespace: str) -> Any:
    yield
    kinds = "deployments,services,poddisruptionbudgets,horizontalpodautoscalers,httproutes,leases"
    kube("delete", kinds, "--all", "-n", namespace, "--wait=true")


@pytest.fixture
def get(kube: Any, namespace: str) -> Callable[[str], Any]:
    def read(what: str) -> Any:
        said = kube("get", what, "-n", namespace, "-o", "json", "--ignore-not-found")
        return json.loads(said) if said.strip() else None

    return read
