"""Several Gateways in one cluster, listeners with TLS, and host names."""

from __future__ import annotations

import copy
import json
import socket
from collections.abc import Callable, Iterator
from typing import Any

import certifi
import pytest
import requests
from manifest_engine.domain.core.errors import RouteConflict
from manifest_engine.domain.route import routes
from manifest_engine.operators.route import publish_route
from manifest_engine.services.route import acceptance as route_acceptance
from manifest_engine.services.route import check as route_check

from tests.integration.names import NAME
from tests.integration.route.second_gateway import DOMAIN, SHOP, SecondGateway, second_gateway


@pytest.fixture(scope="module")
def second(kube: Callable[..., str]) -> Iterator[SecondGateway]:
    with second_gateway(kube) as made:
        yield made


@pytest.fixture(autouse=True)
def quick_and_clean(kube: Any, namespace: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Resolve names of the domain to loopback, shorten waits, and delete routes afterwards."""
    real = socket.getaddrinfo

    def resolve(host: Any, *what: Any, **options: Any) -> Any:
        here = isinstance(host, str) and host.endswith(DOMAIN)
        return real("127.0.0.1" if here else host, *what, **options)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    monkeypatch.setattr(route_acceptance, "ACCEPT_SECONDS", 1.0)
    monkeypatch.setattr(route_check, "ANSWER_SECONDS", 1.0)
    monkeypatch.setattr(publish_route, "SETTLE_SECONDS", 0.5)
    yield
    kube("delete", "httproutes", "--all", "-n", namespace, "--wait=true")


@pytest.fixture
def routed(running: Any, second: SecondGateway) -> Callable[..., Any]:
    """Starts a release whose environment has this listener and host of the second gateway."""

    def make(host: str | None, section: str | None = "https", *, url: str = "") -> Any:
        url = url or f"https://{host}:{second.https}"
        return running(
            routing={"url": url, "host": host, "gateway": second.block(section)},
        )

    return make


@pytest.fixture
def foreign(kube: Any, namespace: str) -> Callable[..., None]:
    """Creates a foreign route to the path of a release, at another gateway or host."""

    def make(release: Any, **spec: Any) -> None:
        other = copy.deepcopy(routes.route(release))
        other["metadata"] = {"name": "other", "namespace": namespace}
        other["spec"] |= spec
        kube("apply", "-f", "-", given=json.dumps(other))

    return make


def answers(url: str) -> int:
    return requests.get(url, timeout=5).status_code


def test_a_service_is_public_only_on_its_listener_beside_the_same_path_elsewhere(
    *, make_release, routed, publish, foreign, second
):
    foreign(make_release())  # on the sandbox's own gateway
    release = routed(SHOP)

    done = publish(release)

    print(f"published by TLS in {done['seconds']} s")
    assert done["url"].startswith(f"https://{SHOP}:")
    assert answers(done["url"] + "/health") == 200
    assert answers(f"http://{SHOP}:{second.http}{release.route_path}/health") == 404


def test_a_route_of_one_gateway_is_not_reachable_through_the_other(
    routed, publish, sandbox, second
):
    url = f"http://127.0.0.1:{second.http}"
    release = routed(None, "http", url=url)
    publish(release)
    assert answers(f"{url}{release.route_path}/health") == 200
    assert answers(f"{sandbox['GATEWAY_URL']}{release.route_path}/health") == 404


def test_a_path_of_a_wildcard_host_on_the_same_listener_is_refused(
    routed, publish, foreign, namespace
):
    release = routed(SHOP)
    foreign(release, hostnames=[f"*.{DOMAIN}"])
    with pytest.raises(RouteConflict, match=f"owned by HTTPRoute {namespace}/other"):
        publish(release)
    foreign(release, hostnames=[f"other.{DOMAIN}"])
    assert publish(release)["status"] == 200


@pytest.mark.parametrize(
    ("host", "section", "said"),
    [
        ("shop.elsewhere", "https", f"takes *.{DOMAIN}, not shop.elsewhere"),
        (SHOP, "absent", "has no listener 'absent', but http, https, closed, broken"),
        (f"closed.{DOMAIN}", "closed", "'closed' takes routes of its own namespace alone"),
        (f"broken.{DOMAIN}", "broken", "'broken' is not ready: ResolvedRefs is false, Invalid"),
    ],
)
def test_the_error_says_why_the_listener_does_not_accept_the_route(
    *, routed, publish, kube, namespace, host, section, said
):
    with pytest.raises(RouteConflict) as refused:
        publish(routed(host, section))
    print(refused.value)
    assert said in str(refused.value)
    assert "Accepted is false" in str(refused.value)
    assert not refused.value.retryable
    assert kube("get", "httproutes", "-n", namespace, "-o", "name") == ""


@pytest.mark.parametrize("trusted", [True, False])
def test_the_error_names_a_wrong_or_untrusted_certificate(routed, publish, monkeypatch, trusted):
    if not trusted:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", certifi.where())
    with pytest.raises(RouteConflict) as refused:
        publish(routed(f"other.{DOMAIN}" if trusted else SHOP))
    print(refused.value)
    said = "certificate is for another host" if trusted else "certificate is not trusted here"
    assert said in str(refused.value)
    assert not refused.value.retryable


def test_the_former_gateway_serves_until_the_new_gateway_answers(
    *, running, routed, publish, kube, namespace, sandbox
):
    def parents() -> list[str]:
        path = "jsonpath={.spec.parentRefs[*].name}"
        return kube("get", "httproute", NAME, "-n", namespace, "-o", path).split()

    former = publish(running())["url"]
    with pytest.raises(RouteConflict, match="another host"):
        publish(routed(f"other.{DOMAIN}"))
    assert answers(former) == 200
    assert parents() == ["datafactory-gateway"]

    now = publish(routed(SHOP))["url"]
    assert answers(now) == 200
    assert parents() == ["shop"]
    assert answers(former + "/health") == 404


def test_the_former_listener_serves_until_the_new_listener_answers(
    *, routed, publish, second, kube, namespace
):
    def sections() -> list[str]:
        path = "jsonpath={.spec.parentRefs[*].sectionName}"
        return kube("get", "httproute", NAME, "-n", namespace, "-o", path).split()

    former = publish(routed(SHOP))["url"]
    with pytest.raises(RouteConflict, match="has no listener 'absent'"):
        publish(routed(SHOP, "absent"))
    assert answers(former) == 200
    assert sections() == ["https"]

    # Without host names, because Contour serves a host only on the listener that names it.
    now = publish(routed(None, "http", url=f"http://{SHOP}:{second.http}"))["url"]
    assert answers(now) == 200
    assert sections() == ["http"]
