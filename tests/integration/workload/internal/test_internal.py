"""A service without a public route: checked inside the cluster, and made internal and public."""

from __future__ import annotations

import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest
from manifest_engine.domain.core.errors import RolloutFailed, RouteConflict
from manifest_engine.hooks.kubernetes.cluster import ClusterHook
from manifest_engine.operators.workload.watch_release import WatchRelease
from manifest_engine.services.dry_run import dry_run
from manifest_engine.services.dry_run.cluster import DryRunHook

from tests.integration.names import NAME

KINDS = "deployments,services,httproutes"


class Deploy:
    """The three steps that make a release live, and those of another release before them."""

    def __init__(self, apply: Any, publish: Any, make_release: Any, context: Any) -> None:
        self.apply, self.publish, self.make_release = apply, publish, make_release
        self.context = context

    def __call__(self, **fields: Any) -> Any:
        release = self.make_release(**fields)
        deployment = self.apply(release)
        published = self.publish(release)
        self.watch(release, deployment)
        return release, published

    def watch(self, release: Any, deployment: Any) -> None:
        given = {"release": release.dump(), "deployment": deployment}
        WatchRelease(task_id="watch_release", **given).execute(self.context(release.run_id))


@pytest.fixture
def deploy(apply: Any, publish: Any, make_release: Any, context: Any) -> Deploy:
    return Deploy(apply, publish, make_release, context)


@pytest.fixture
def names(get: Callable[[str], Any]) -> Callable[[], set[str]]:
    """Kinds of the objects of the service."""

    def read() -> set[str]:
        return {item["kind"] for item in (get(KINDS) or {"items": []})["items"]}

    return read


def public(release: Any) -> str:
    """The answer at the public URL, the status if it is an error."""
    url = release.environment.routing.url + release.route_path + "/health"
    try:
        with urllib.request.urlopen(url, timeout=5) as got:
            return str(got.read().decode()).split()[0]
    except urllib.error.HTTPError as error:
        return str(error.code)
    except urllib.error.URLError:
        return "404"  # the gateway closes its port when the last route goes


def test_an_internal_service_has_no_route_and_answers_at_its_url_inside_the_cluster(
    deploy, names, kube, namespace
):
    release, published = deploy(internal=True)

    assert names() == {"Deployment", "Service"}
    assert published["url"] == f"http://{NAME}.{namespace}.svc"
    assert published["status"] == 200
    through = f"/api/v1/namespaces/{namespace}/services/{NAME}:80/proxy/health"
    assert kube("get", "--raw", through).startswith("hello from /health")
    assert public(release) == "404"


def test_a_public_service_becomes_internal_and_public_again(deploy, names):
    first, _ = deploy(env={"TEXT": "first"})
    assert public(first) == "first"

    deploy(version="2", internal=True, env={"TEXT": "second"})
    assert names() == {"Deployment", "Service"}
    assert public(first) == "404"

    deploy(version="3", env={"TEXT": "third"})
    assert public(first) == "third"


def test_the_route_stays_until_the_internal_release_has_stayed_up(deploy, names):
    first, _ = deploy(env={"TEXT": "first"})
    second = deploy.make_release(
        version="2",
        internal=True,
        cluster={"minReadySeconds": 8},
        env={"TEXT": "second", "MODE": "crash-when-ready", "AFTER": "5"},
    )
    deployment = deploy.apply(second)
    deploy.publish(second)
    assert "HTTPRoute" in names()

    with pytest.raises(RolloutFailed, match="Rolled back to version 1, which is serving"):
        deploy.watch(second, deployment)

    assert public(first) == "first"


def test_the_pods_of_an_internal_release_are_never_public(deploy, names):
    first, _ = deploy(internal=True, env={"TEXT": "first"})
    second = deploy.make_release(
        version="2", cluster={"minReadySeconds": 8}, env={"TEXT": "second", "AFTER": "4",
                                                          "MODE": "crash-when-ready"},
    )  # fmt: skip
    deploy.apply(second)

    with pytest.raises(RolloutFailed, match="Rolled back to version 1, which is serving"):
        deploy.publish(second)

    assert names() == {"Deployment", "Service"}
    assert public(first) == "404"


def test_a_route_is_removed_when_watch_release_returns_to_an_internal_release(deploy, names, kube):
    deploy(internal=True, env={"TEXT": "first"})
    second = deploy.make_release(version="2", cluster={"pendingSeconds": 10})
    deployment = deploy.apply(second)
    deploy.publish(second)
    assert "HTTPRoute" in names()
    # The pods vanish after the publication, and the namespace takes no new ones for a while.
    where = ("-n", second.environment.cluster.namespace)
    kube("create", "quota", "none", "--hard=pods=0", *where)
    over = threading.Timer(14, kube, ("delete", "quota", "none", *where))
    over.start()
    kube("delete", "pods", "--all", *where)
    with pytest.raises(RolloutFailed, match="Rolled back to version 1"):
        deploy.watch(second, deployment)
    over.join()

    assert names() == {"Deployment", "Service"}


def test_a_wrong_answer_inside_the_cluster_rolls_the_internal_release_back(deploy, names, get):
    first, _ = deploy(env={"TEXT": "first"})
    before = get(f"deployment/{NAME}")["spec"]["template"]

    wrong = {"path": "/nowhere", "timeoutSeconds": 3}
    said = (
        rf"{NAME} gives a wrong answer inside the cluster: GET /nowhere of pod {NAME}-\S+ "
        r"answers 404 instead of 200(?s:.*)Rolled back to version 1, which is serving\.$"
    )
    with pytest.raises(RouteConflict, match=said) as raised:
        deploy(version="2", internal=True, smokeTest=wrong, env={"TEXT": "second"})

    assert raised.value.outcome == "rolled back"
    assert not raised.value.retryable
    assert get(f"deployment/{NAME}")["spec"]["template"] == before
    assert public(first) == "first"


def test_a_first_internal_release_with_a_wrong_answer_is_removed(deploy, get):
    with pytest.raises(RouteConflict, match="It was the first release; removed again"):
        deploy(internal=True, smokeTest={"path": "/nowhere", "timeoutSeconds": 3})

    assert get(KINDS) is None


def test_a_service_without_http_is_checked_by_the_kubelet_alone(deploy):
    _, published = deploy(internal=True, readiness={"kind": "tcp"})

    assert published["status"] is None


def test_a_dry_run_shows_the_route_that_would_go(deploy, names, digest, caplog):
    deploy()
    second = deploy.make_release(version="2", internal=True)
    hook = DryRunHook("kubernetes_default")

    dry_run.in_cluster(second, hook, digest, {}, ClusterHook("kubernetes_default").log)

    assert [change.action for change in hook.changes if change.kind == "HTTPRoute"] == ["remove"]
    assert "HTTPRoute" in names()
