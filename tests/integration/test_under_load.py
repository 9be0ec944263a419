"""No public request fails during good and bad releases, as long as a good release is live."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from manifest_engine.domain.core.errors import RolloutFailed

from tests.integration.steps import apply_step
from tests.load import calling

CLIENTS, PAUSE = 4, 0.02
"""About 150 requests a second: short gaps between requests at an acceptable load."""


@pytest.fixture
def deploy(
    digest: str, context: Callable[..., Any], kube: Any, namespace: str, monkeypatch: Any
) -> Iterator[Any]:
    """Runs the steps apply_deployment, publish_route and watch_release."""
    from manifest_engine.operators.route.publish_route import PublishRoute
    from manifest_engine.operators.workload import apply_deployment
    from manifest_engine.operators.workload.watch_release import WatchRelease

    monkeypatch.setattr(apply_deployment, "WATCH_SECONDS", 120.0)  # no triggerer here

    def run(release: Any) -> None:
        made, given = context(release.run_id), release.dump()
        begun = apply_step(release, digest).execute(made)
        PublishRoute(task_id="publish_route", release=given).execute(made)
        watch = WatchRelease(task_id="watch_release", release=given, deployment=begun)
        watch.execute(made)

    yield run
    kinds = "httproutes,deployments,services,poddisruptionbudgets,leases"
    kube("delete", kinds, "--all", "-n", namespace, "--wait=true")


def report(case: str, found: dict[str, Any]) -> None:
    print(f"{case}: {found['sent']} requests, {found['failed']} failed {found['first']}")


def test_three_good_updates_in_a_row_fail_no_request(deploy, make_release):
    deploy(make_release(replicas=2, version="1"))

    with calling(make_release().url + "/health", CLIENTS, PAUSE) as found:
        for version in ("2", "3", "4"):
            deploy(make_release(replicas=2, version=version, env={"TEXT": version}))

    report("good to good, three times", found)
    assert found["sent"] > 100
    assert found["failed"] == 0


def test_a_single_replica_is_updated_without_a_failed_request(deploy, make_release):
    deploy(make_release(replicas=1, version="1"))

    with calling(make_release().url + "/health", CLIENTS, PAUSE) as found:
        deploy(make_release(replicas=1, version="2", env={"TEXT": "2"}))

    report("good to good, one replica", found)
    assert found["failed"] == 0


@pytest.mark.parametrize("mode", ["crash", "unhealthy", "greedy"])
def test_a_bad_update_and_its_rollback_fail_no_request(deploy, make_release, mode):
    deploy(make_release(replicas=2, version="1"))

    with calling(make_release().url + "/health", CLIENTS, PAUSE) as found:
        small = {"cpu": "500m", "memory": "64Mi"}
        with pytest.raises(RolloutFailed):
            deploy(
                make_release(
                    replicas=2,
                    version="2",
                    env={"MODE": mode},
                    startupSeconds=4,
                    resources={"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": small},
                )
            )
        deploy(make_release(replicas=2, version="3"))

    report(f"good to {mode} to good", found)
    assert found["failed"] == 0
