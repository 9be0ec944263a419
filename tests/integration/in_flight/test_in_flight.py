"""Requests in progress when their pods end, through the real gateway, all cases in parallel."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from manifest_engine.domain.removal import removal
from manifest_engine.domain.route import routes
from manifest_engine.domain.workload import resources

from tests.integration.in_flight import images
from tests.integration.names import COMPONENT
from tests.integration.steps import apply_step

LONG, SHORT = 30, 12
"""Seconds of a request. Both are longer than the drain, so the requests meet SIGTERM."""
CASES: dict[str, dict[str, Any]] = {
    "redeployed": {"route": {"timeoutSeconds": LONG + 5}},
    "scaled": {"route": {"timeoutSeconds": 0}, "shutdownSeconds": SHORT + 5},
    "evicted": {"route": {"timeoutSeconds": LONG + 2}},
    "removed": {"route": {"timeoutSeconds": SHORT + 5}},
}


@pytest.fixture(scope="module")
def digest(sandbox: dict[str, str]) -> str:
    """Digest of the service, built with the standard Dockerfile and pushed for each case."""
    names = [f"{sandbox['REGISTRY']}/datafactory/{COMPONENT}/{name}:1" for name in CASES]
    images.build(*names)
    for name in names:
        images.docker("push", "-q", name)
    digests = json.loads(images.docker("image", "inspect", "-f", "{{json .RepoDigests}}", names[0]))
    (found,) = {item.split("@")[1] for item in digests if f"/{COMPONENT}/" in item}
    return found


@pytest.fixture
def services(
    kube: Callable[..., str], namespace: str, make_release: Callable[..., Any], digest: str
) -> Iterator[dict[str, Any]]:
    """A published release for each case, with two pods."""
    made = {
        name: make_release(serviceName=name, replicas=2, **fields) for name, fields in CASES.items()
    }
    objects = [
        an_object
        for release in made.values()
        for an_object in (*resources.workload(release, digest, {}), routes.route(release))
    ]
    applied = {"apiVersion": "v1", "kind": "List", "items": objects}
    words = ("--server-side", "--field-manager=manifest-engine")
    kube("apply", *words, "-f", "-", given=json.dumps(applied))
    for release in made.values():
        name = f"deployment/{release.name}"
        kube("rollout", "status", name, "-n", namespace, "--timeout=60s")
        _until(lambda url=release.url: _get(url + "/health")[0] == 200)
    yield made
    kinds = "httproutes,deployments,services,poddisruptionbudgets,leases"
    kube("delete", kinds, "--all", "-n", namespace, "--wait=true")


def _until(met: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not met():
        assert time.monotonic() < end
        time.sleep(0.2)


def _get(url: str) -> tuple[int, str]:
    """Status and body; status 0 if the connection breaks."""
    try:
        with urllib.request.urlopen(url, timeout=60) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError as error:
        return 0, repr(error)


@pytest.fixture
def redeploy(
    make_release: Callable[..., Any], context: Callable[..., Any], digest: str, monkeypatch: Any
) -> Callable[[str], dict[str, Any]]:
    """Deploys another version of a case with the step ``apply_deployment``."""
    from manifest_engine.operators.workload import apply_deployment

    monkeypatch.setattr(apply_deployment, "WATCH_SECONDS", 60.0)  # no triggerer here

    def run(name: str) -> dict[str, Any]:
        given = CASES[name] | {"serviceName": name, "replicas": 2, "env": {"TEXT": "2"}}
        release = make_release(version="2", **given)
        return apply_step(release, digest).execute(context(release.run_id))

    return run


@dataclass(frozen=True)
class Namespace:
    """Changes to pods by other people and controllers."""

    kube: Callable[..., str]
    name: str

    def pods(self, release: Any) -> list[str]:
        """Names of a release's pods that are not ending."""
        label = f"app.kubernetes.io/instance={release.name}"
        found = json.loads(self.kube("get", "pods", "-n", self.name, "-l", label, "-o", "json"))
        metadata = [pod["metadata"] for pod in found["items"]]
        return sorted(item["name"] for item in metadata if "deletionTimestamp" not in item)

    def evict(self, pod: str) -> None:
        """Evict a pod, as the drain of its node does."""
        metadata = {"name": pod, "namespace": self.name}
        eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": metadata}
        path = f"/api/v1/namespaces/{self.name}/pods/{pod}/eviction"
        self.kube("create", "--raw", path, "-f", "-", given=json.dumps(eviction))

    def scale(self, release: Any, replicas: int) -> None:
        name = f"deployment/{release.name}"
        self.kube("scale", name, f"--replicas={replicas}", "-n", self.name)


@pytest.fixture
def cluster(kube: Callable[..., str], namespace: str) -> Namespace:
    return Namespace(kube, namespace)


def remove(release: Any) -> float:
    """Run the two removing steps of ``remove_service``; returns the seconds."""
    from manifest_engine.operators.removal.remove_service import RemoveWorkload
    from manifest_engine.services.route.withdrawal import remove_routes

    planned = removal.Removal(
        name=release.name,
        service_name=release.manifest.service_name,
        component=release.manifest.component,
        environment_name="dev",
        environment=release.environment,
        run_id="removal",
        requested_at=datetime.now(UTC),
        requested_by="tester",
    )
    begin = time.monotonic()
    step = RemoveWorkload(task_id="remove_workload", removal=planned.dump())
    workload, _ = step.service(planned)
    remove_routes(workload, removal.route(planned))
    step.remove_objects(planned, workload)
    return time.monotonic() - begin


def test_no_request_in_progress_is_cut(services, cluster, redeploy):
    older = {name: cluster.pods(release) for name, release in services.items()}
    with ThreadPoolExecutor(40) as pool:

        def ask(name: str, path: str, times: int = 6) -> list[Future[tuple[int, str]]]:
            return [pool.submit(_get, services[name].url + path) for _ in range(times)]

        asked = {
            "redeployed": ask("redeployed", f"/slow?seconds={LONG}"),
            "evicted": ask("evicted", f"/slow?seconds={LONG}"),
            "removed": ask("removed", f"/slow?seconds={SHORT}"),
            "scaled": ask("scaled", f"/stream?seconds={SHORT}"),
        }
        (too_long,) = ask("evicted", f"/slow?seconds={LONG + 10}", times=1)
        time.sleep(1)  # the requests have reached the pods
        cluster.scale(services["scaled"], 1)
        cluster.evict(older["evicted"][0])
        removing = pool.submit(remove, services["removed"])
        done = redeploy("redeployed")
        print(f"redeployed in {done['seconds']} s")

        answers = {name: [each.result() for each in found] for name, found in asked.items()}
        print(f"removed in {removing.result():.1f} s")

    assert {name: {status for status, _ in found} for name, found in answers.items()} == {
        name: {200} for name in CASES
    }
    hosts = {name: {body.split()[-1] for _, body in found} for name, found in answers.items()}
    assert hosts["redeployed"] == set(older["redeployed"]), "the former pods answered"
    assert older["evicted"][0] in hosts["evicted"], "the evicted pod answered"
    assert hosts["scaled"] == set(older["scaled"]), "the surplus pod answered"
    assert {body.count("data:") for _, body in answers["scaled"]} == {SHORT}
    assert SHORT - 3 < removing.result() < SHORT + 10, "the removal waited for the requests"
    assert too_long.result()[0] == 504, "the gateway ends a request that takes too long"
