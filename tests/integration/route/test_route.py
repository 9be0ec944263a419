"""The public route through the real gateway: published, or refused with the reason."""

from __future__ import annotations

import json
import urllib.request
from typing import Any

import pytest
from manifest_engine.domain.core.errors import RouteConflict
from manifest_engine.domain.route import routes
from manifest_engine.services.route import acceptance as route_acceptance
from manifest_engine.services.route import check as route_check

from tests.integration.names import COMPONENT, NAME


@pytest.fixture(autouse=True)
def nothing_left(kube: Any, namespace: str) -> Any:
    yield
    kube("delete", "httproutes", "--all", "-n", namespace, "--wait=true")


def test_the_url_answers_with_the_prefix_stripped_and_forwarded(running, publish):
    release = running()

    done = publish(release)

    print(f"published in {done['seconds']} s")
    assert done["url"] == release.url
    assert done["status"] == 200
    assert done["warnings"] == []
    with urllib.request.urlopen(release.url + "/health") as answer:
        assert (
            answer.read().decode()
            == f"hello from /health behind [/datafactory/{COMPONENT}/service]"
        )


def test_publishing_again_changes_nothing(running, publish, kube, namespace):
    def version() -> str:
        path = "jsonpath={.metadata.resourceVersion}"
        return kube("get", "httproute", NAME, "-n", namespace, "-o", path)

    release = running()
    publish(release)
    before = version()

    done = publish(release)

    print(f"published again in {done['seconds']} s")
    assert version() == before


def test_the_error_for_a_taken_path_names_the_owner(running, publish, kube, namespace):
    release = running()
    other = routes.route(release)
    other["metadata"] = {"name": "older", "namespace": namespace}
    kube("apply", "-f", "-", given=json.dumps(other))

    with pytest.raises(RouteConflict, match=f"owned by HTTPRoute {namespace}/older"):
        publish(release)


def test_a_route_of_our_name_that_no_release_made_is_not_adopted(running, publish, kube, namespace):
    release = running()
    other = routes.route(release)
    other["metadata"] = {"name": release.name, "namespace": namespace}
    kube("apply", "-f", "-", given=json.dumps(other))

    with pytest.raises(RouteConflict, match="was not made by a release"):
        publish(release)


def test_a_404_of_the_service_is_attributed_to_the_service(running, publish, monkeypatch):
    monkeypatch.setattr(route_check, "ANSWER_SECONDS", 2.0)
    release = running(smokeTest={"path": "/nowhere", "timeoutSeconds": 5})

    with pytest.raises(RouteConflict, match="the service itself answers 404"):
        publish(release)


def test_without_strip_prefix_a_404_of_the_service_names_the_path_to_set(
    running, publish, monkeypatch
):
    monkeypatch.setattr(route_check, "ANSWER_SECONDS", 2.0)
    release = running(route={"stripPrefix": False})

    said = f"set healthPath or smokeTest.path to a path there, such as {release.route_path}/health"
    with pytest.raises(RouteConflict, match=said):
        publish(release)


def test_links_that_leave_the_route_are_a_warning(running, publish):
    release = running(env={"LINKS": '<a href="/login">'})

    (warning,) = publish(release)["warnings"]

    assert warning.startswith(f"{release.url}/ leads to /login, outside {release.route_path}")


def test_a_404_of_the_gateway_is_attributed_to_the_gateway(running, publish, monkeypatch):
    monkeypatch.setattr(route_check, "ANSWER_SECONDS", 2.0)
    release = running()
    routing = release.environment.routing.model_copy(update={"host": "elsewhere.example"})
    environment = release.environment.model_copy(update={"routing": routing})

    with pytest.raises(RouteConflict, match="the gateway answers 404 itself"):
        publish(release.model_copy(update={"environment": environment}))


def test_a_missing_gateway_is_named(running, publish, monkeypatch):
    monkeypatch.setattr(route_acceptance, "ACCEPT_SECONDS", 2.0)
    release = running()
    gateway = release.environment.routing.gateway.model_copy(update={"name": "absent"})
    routing = release.environment.routing.model_copy(update={"gateway": gateway})
    environment = release.environment.model_copy(update={"routing": routing})

    said = "has not answered; the Gateway gateway-system/absent does not exist"
    with pytest.raises(RouteConflict, match=said):
        publish(release.model_copy(update={"environment": environment}))
