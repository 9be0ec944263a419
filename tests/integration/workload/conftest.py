"""Applies releases to the real cluster by the step, and deletes them after each test."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any
from uuid import uuid4

import pytest

from tests.integration.names import LEASE_NAME, NAME
from tests.integration.steps import apply_step


@pytest.fixture
def apply(
    digest: str, context: Callable[..., Any], kube: Callable[..., str], namespace: str
) -> Callable[..., Any]:
    """Runs the step with a good verdict. Runs the trigger in this process if the step defers."""
    from airflow.sdk.exceptions import TaskDeferred

    def run(release: Any, *, digest: str = digest, **changes: Any) -> dict[str, Any]:
        given = {key: changes[key] for key in ("verdict",) if key in changes}
        task = apply_step(release, digest, **given)
        made = context(release.run_id)
        try:
            done = task.execute(made)
        except TaskDeferred as deferred:
            if not changes.get("wait", True):
                raise
            done = _resume(task, made, deferred)
        if not changes.get("keep_lease"):
            kube(
                "delete", "lease", LEASE_NAME, "-n", namespace
            )  # watch_release does this at its end
        return done

    return run


def _resume(task: Any, made: Any, deferred: Any) -> dict[str, Any]:
    import asyncio

    event = asyncio.run(anext(deferred.trigger.run())).payload
    return getattr(task, deferred.method_name)(made, event, **(deferred.kwargs or {}))


@pytest.fixture
def resume(digest: str, context: Callable[..., Any]) -> Callable[..., Any]:
    """Runs the trigger of a deferred step, then continues the step in a new operator."""

    def run(release: Any, deferred: Any) -> dict[str, Any]:
        return _resume(apply_step(release, digest), context(release.run_id), deferred)

    return run


@pytest.fixture
def replicas_seen(kube: Callable[..., str], namespace: str) -> Callable[..., Any]:
    """Records every ``spec.replicas`` of the Deployment during the block, in order."""
    from manifest_engine.hooks.kubernetes.cluster import ClusterHook

    @contextmanager
    def watching() -> Iterator[list[int]]:
        seen: list[int] = []
        begun, ended = threading.Event(), threading.Event()

        def watch() -> None:
            hook = ClusterHook("kubernetes_default")
            for _, state in hook.watch("apps/v1", "Deployment", NAME, namespace, seconds=60):
                seen.append(state["spec"]["replicas"])
                begun.set()
                if ended.is_set():
                    return

        watcher = threading.Thread(target=watch)
        watcher.start()
        assert begun.wait(10)
        yield seen
        ended.set()
        kube("annotate", f"deployment/{NAME}", "tests/seen=all", "-n", namespace)  # ends the watch
        watcher.join(70)

    return watching


@pytest.fixture
def remove(make_release: Any, context: Callable[..., Any], kube: Any) -> Callable[..., None]:
    """Removes the test service's workload as ``remove_service`` does."""
    from manifest_engine.domain.removal.removal import Removal
    from manifest_engine.operators.removal.remove_service import RemoveWorkload

    def run(*, asked_at: datetime) -> None:
        release = make_release(run_id=f"removal-{uuid4().hex[:8]}")
        planned = Removal(
            name=release.name,
            service_name=release.manifest.service_name,
            component=release.manifest.component,
            environment_name=release.environment_name,
            environment=release.environment,
            run_id=release.run_id,
            requested_at=asked_at,
            requested_by="tester",
        )
        RemoveWorkload(task_id="remove_workload", removal=planned.dump()).execute(
            context(planned.run_id)
        )

    return run


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
