"""A release whose pods crash after they were ready is rolled back before the old pods end."""

from __future__ import annotations

import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from manifest_engine.domain.core.errors import RolloutFailed
from manifest_engine.operators.workload.watch_release import WatchRelease

from sandbox.core.part import wait_until

WATCHED = {"minReadySeconds": 8}
CRASHES = {"MODE": "crash-when-ready", "AFTER": "5"}


@pytest.fixture
def deploy(apply: Any, publish: Any, make_release: Any, context: Any) -> Callable[..., Any]:
    """Runs the three steps that make a release live."""

    def run(**fields: Any) -> Any:
        release = make_release(**fields)
        deployment = apply(release)
        publish(release)
        watch = WatchRelease(task_id="watch_release", release=release.dump(), deployment=deployment)
        return release, watch.execute(context(release.run_id))

    return run


@contextmanager
def asked(url: str) -> Iterator[list[str]]:
    """Calls a URL repeatedly during the block; yields the answers and errors."""
    answers: list[str] = []
    over = threading.Event()

    def ask() -> None:
        while not over.is_set():
            try:
                with urllib.request.urlopen(url, timeout=5) as got:
                    answers.append(got.read().decode().split()[0])
            except (urllib.error.URLError, OSError) as error:
                answers.append(f"error: {error}")
            time.sleep(0.05)

    caller = threading.Thread(target=ask)
    caller.start()
    yield answers
    over.set()
    caller.join(10)


def others_than_first(answers: list[str]) -> str | None:
    return ", ".join(set(answers[-10:]) - {"first"}) or None


def test_a_crash_after_readiness_rolls_back_and_keeps_the_old_pods(deploy, get):
    first, done = deploy(env={"TEXT": "first"})
    assert done == {"replicas": 1}
    pods = {
        pod["metadata"]["name"]
        for pod in get("pods")["items"]
        if not pod["metadata"].get("deletionTimestamp")  # of the previous test
    }

    with asked(first.url + "/health") as answers:
        with pytest.raises(RolloutFailed) as raised:
            deploy(version="2", cluster=WATCHED, env=CRASHES | {"TEXT": "second"})
        # The gateway learns a moment later that the crashed pod is gone.
        wait_until(lambda: others_than_first(answers), 5, "only the old pods to answer")

    said = str(raised.value)
    assert "after the pod had been ready, the service crashed with exit code 4" in said
    assert "lost the price list" in said
    assert "Rolled back to version 1, which is serving." in said
    assert not raised.value.retryable
    assert "second" in answers, "users reached the new pod before the old one was gone"
    assert pods <= {pod["metadata"]["name"] for pod in get("pods")["items"]}


def test_a_first_release_that_crashes_after_readiness_is_removed_with_its_route(deploy, get):
    with pytest.raises(RolloutFailed, match=r"exit code 4(?s:.*)It was the first release"):
        deploy(cluster=WATCHED, env=CRASHES)

    assert get("deployments,services,httproutes") is None


def test_a_crash_between_two_steps_rolls_back_although_the_pod_is_ready_again(
    *, deploy, apply, publish, make_release, context, get
):
    deploy(env={"TEXT": "first"})
    release = make_release(
        version="2",
        cluster={"minReadySeconds": 2},
        env=CRASHES | {"TEXT": "second", "ONCE": "/tmp/kept/crashed"},
        volumes={"/tmp/kept": {"emptyDir": {}}},
    )
    deployment = apply(release)
    publish(release)

    def problem() -> str | None:
        containers = [
            container
            for pod in get("pods")["items"]
            for container in pod["status"].get("containerStatuses") or []
        ]
        back = any(item["restartCount"] and item["ready"] for item in containers)
        return None if back else "no pod is ready after a crash"

    wait_until(problem, 60, "the restart")
    watch = WatchRelease(task_id="watch_release", release=release.dump(), deployment=deployment)
    said = r"after the pod had been ready, the service crashed with exit code 4(?s:.*)Rolled back"
    with pytest.raises(RolloutFailed, match=said):
        watch.execute(context(release.run_id))


def test_a_redeploy_without_a_change_is_not_watched(deploy):
    deploy(cluster={"minReadySeconds": 3})
    begin = time.monotonic()
    _, done = deploy(cluster={"minReadySeconds": 3})
    assert done == {"replicas": 1}
    assert time.monotonic() - begin < 3
