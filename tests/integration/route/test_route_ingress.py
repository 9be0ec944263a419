"""Routes by Ingress, served by the sandbox's Contour, which has no rewrite annotations."""

from __future__ import annotations

import copy
import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import requests
from manifest_engine.domain.core.errors import RouteConflict
from manifest_engine.domain.removal import removal
from manifest_engine.domain.route import routes
from manifest_engine.hooks.kubernetes.cluster import ClusterHook
from manifest_engine.operators.route import publish_route
from manifest_engine.services.route import check as route_check

from tests.integration.names import COMPONENT, NAME

PATH = f"/datafactory/{COMPONENT}/service"
BLOCK = {"api": "ingress", "ingress": {"className": "contour"}}
NOT_STRIPPED = {
    "route": {"stripPrefix": False},
    "env": {"BELOW": PATH},
    "healthPath": f"{PATH}/health",
}


@pytest.fixture(autouse=True)
def quick_and_clean(kube: Any, namespace: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(route_check, "ANSWER_SECONDS", 1.0)
    monkeypatch.setattr(publish_route, "SETTLE_SECONDS", 0.5)
    yield
    kube("delete", "httproutes,ingresses,leases", "--all", "-n", namespace, "--wait=true")


@pytest.fixture
def by_ingress(running: Any) -> Callable[..., Any]:
    def make(**fields: Any) -> Any:
        return running(routing=BLOCK, **(fields or NOT_STRIPPED))

    return make


@pytest.fixture
def foreign(kube: Any, namespace: str) -> Callable[..., None]:
    """Creates a foreign Ingress to a path."""

    def make(release: Any, path: str) -> None:
        other = copy.deepcopy(routes.route(release))
        other["metadata"] = {"name": "other", "namespace": namespace}
        other["spec"]["rules"][0]["http"]["paths"][0]["path"] = path
        kube("apply", "-f", "-", given=json.dumps(other))

    return make


@pytest.fixture
def there(kube: Any, namespace: str) -> Callable[[], set[str]]:
    """Returns the kinds of the routes that have our name."""

    def look() -> set[str]:
        words = "httproutes,ingresses", "-n", namespace, "-o", "json"
        items = json.loads(kube("get", *words))["items"]
        return {item["kind"] for item in items if item["metadata"]["name"] == NAME}

    return look


def answers(url: str) -> int:
    return requests.get(url, timeout=5).status_code


def test_an_ingress_is_published_beside_a_path_with_the_same_beginning(
    *, by_ingress, publish, foreign, namespace, sandbox
):
    release = by_ingress()
    foreign(release, f"{PATH}c")

    done = publish(release)

    print(f"published by Ingress in {done['seconds']} s")
    assert answers(f"{done['url']}/health") == 200
    nobody = requests.get(f"{sandbox['GATEWAY_URL']}{PATH}d/health", timeout=5)
    assert (nobody.status_code, nobody.text) == (404, ""), "the gateway's own"
    foreign(release, f"{PATH}/")
    with pytest.raises(RouteConflict, match=f"owned by Ingress {namespace}/other"):
        publish(release.model_copy(update=_elsewhere(release)))


def _elsewhere(release: Any) -> dict[str, Any]:
    """The release with another host, so that the step checks the claim again."""
    routing = release.environment.routing.model_copy(update={"host": "a.example"})
    return {"environment": release.environment.model_copy(update={"routing": routing})}


def test_an_ingress_of_another_service_at_the_host_and_path_of_our_route_is_named(
    *, running, by_ingress, publish, foreign, namespace, there
):
    theirs = by_ingress()
    foreign(theirs.model_copy(update=_elsewhere(theirs)), PATH)
    ours = running(**NOT_STRIPPED)
    with pytest.raises(RouteConflict, match=f"owned by Ingress {namespace}/other"):
        publish(ours.model_copy(update=_elsewhere(ours)))
    assert there() == set()


def test_the_error_says_that_the_controller_does_not_strip_the_prefix(by_ingress, publish):
    release = by_ingress(route={"stripPrefix": True})
    with pytest.raises(RouteConflict, match="the ingress controller has not stripped") as refused:
        publish(release)
    print(refused.value)
    assert "set route.stripPrefix to false" in str(refused.value)


def test_a_host_that_the_controller_does_not_serve_is_named(by_ingress, publish):
    release = by_ingress()
    with pytest.raises(RouteConflict, match=r"routing\.ingress\.className"):
        publish(release.model_copy(update=_elsewhere(release)))


def test_an_unserved_class_leaves_the_service_with_the_former_class(by_ingress, publish):
    """An Ingress has one class, so the step restores the former class after the failure."""
    former = by_ingress()
    publish(former)
    routing = former.environment.routing
    nobody = routing.model_copy(
        update={"ingress": routing.ingress.model_copy(update={"class_name": "nobody"})}
    )
    environment = former.environment.model_copy(update={"routing": nobody})
    with pytest.raises(RouteConflict, match=r"routing\.ingress\.className"):
        publish(former.model_copy(update={"environment": environment}))
    assert served_again(f"{former.url}/health")


def served_again(url: str) -> bool:
    """Whether the controller serves the former route again within a few seconds."""
    end = time.monotonic() + 5
    while answers(url) != 200 and time.monotonic() < end:
        time.sleep(0.1)
    return answers(url) == 200


def test_the_former_route_of_the_other_kind_is_removed_once_the_new_route_answers(
    *, running, by_ingress, publish, there, monkeypatch
):
    publish(running(**NOT_STRIPPED))
    assert there() == {"HTTPRoute"}

    release = by_ingress()
    # At first the former route answers, and no request reaches the new route.
    with pytest.raises(RouteConflict, match="the gateway answers 404 itself"):
        publish(release.model_copy(update=_elsewhere(release)))
    assert there() == {"HTTPRoute"}, "only the former route remains"
    assert answers(release.url + "/health") == 200

    with monkeypatch.context() as patched:
        patched.setattr(ClusterHook, "delete", _killed)
        with pytest.raises(KeyboardInterrupt):
            publish(release)
    publish(release)
    assert there() == {"Ingress"}

    asked: Counter[str] = Counter()
    real = ClusterHook.get

    def counted(self: Any, api_version: str, kind: str, *where: Any) -> Any:
        asked[kind] += 1
        return real(self, api_version, kind, *where)

    with monkeypatch.context() as patched:
        patched.setattr(ClusterHook, "get", counted)
        publish(release)
    assert asked["HTTPRoute"] == 0, "a redeploy does not look for the other kind"

    publish(running(**NOT_STRIPPED))
    assert there() == {"HTTPRoute"}


def _killed(*_what: Any, **_options: Any) -> bool:
    raise KeyboardInterrupt


def test_a_foreign_route_of_the_other_kind_stays(
    *, running, by_ingress, publish, there, kube, namespace
):
    theirs = copy.deepcopy(routes.route(running(**NOT_STRIPPED)))
    del theirs["metadata"]["labels"]
    kube("apply", "-f", "-", given=json.dumps(theirs))
    publish(by_ingress())
    assert there() == {"HTTPRoute", "Ingress"}


@pytest.mark.parametrize("kind", ["HTTPRoute", "Ingress"])
def test_a_removal_also_removes_the_former_kind_of_route(
    *, make_release, there, kube, kind, context
):
    from manifest_engine.operators.removal.remove_service import RemoveRoute

    former, now = ({}, BLOCK) if kind == "HTTPRoute" else (BLOCK, {})
    kube("apply", "-f", "-", given=json.dumps(routes.route(make_release(routing=former))))
    asked = {"component": COMPONENT, "serviceName": "service", "environment": "dev"}
    planned = removal.plan(
        removal.parse(asked | {"confirm": NAME}),
        {"dev": make_release(routing=now).environment},
        run_id="removal",
        requested_at=datetime.now(UTC),
        requested_by="tester",
    )
    task = RemoveRoute(task_id="remove_route", removal=planned.dump())
    assert task.execute(context("removal")) == [f"{kind} {NAME}"]
    assert there() == set()
