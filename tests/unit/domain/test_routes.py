"""The public route, and who owns a path already."""

import pytest
from manifest_engine.domain import route_owners, routes
from manifest_engine.domain.environments import Gateway

from tests.unit.domain.releases import GATEWAY, make_release

INGRESS = {
    "api": "ingress",
    "url": "https://dev.example.com",
    "host": "dev.example.com",
    "ingress": {"className": "nginx"},
}


def http_route(**fields):
    return routes.route(make_release(**fields))


def other(path, *, name="other", namespace="apps", hosts=None, gateway=("gateways", "gw")):
    parent = {"namespace": gateway[0], "name": gateway[1]}
    match = {"path": {"type": "PathPrefix", "value": path}}
    spec = {"parentRefs": [parent], "rules": [{"matches": [match]}]}
    if hosts:
        spec["hostnames"] = hosts
    return {
        "kind": "HTTPRoute",
        "metadata": {"name": name, "namespace": namespace, "labels": {}},
        "spec": spec,
    }


def test_the_prefix_is_replaced_by_a_rule_with_exactly_one_prefix_match():
    (rule,) = http_route()["spec"]["rules"]
    assert rule["matches"] == [
        {"path": {"type": "PathPrefix", "value": "/datafactory/pricing/quotes"}}
    ]
    rewrite = {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/"}
    assert {"type": "URLRewrite", "urlRewrite": {"path": rewrite}} in rule["filters"]


def test_the_service_is_told_its_prefix_over_what_a_client_claims():
    (rule,) = http_route()["spec"]["rules"]
    told = {"name": "X-Forwarded-Prefix", "value": "/datafactory/pricing/quotes"}
    assert rule["filters"][0]["requestHeaderModifier"] == {"set": [told]}


def test_without_strip_prefix_nothing_is_rewritten():
    assert "filters" not in http_route(route={"stripPrefix": False})["spec"]["rules"][0]


def test_the_timeout_is_stated():
    assert http_route()["spec"]["rules"][0]["timeouts"] == {"request": "60s"}


def test_the_route_attaches_to_the_environments_gateway_listener_and_host():
    gateway = {"name": "gw", "namespace": "gateways", "section": "https"}
    made = http_route(routing=GATEWAY | {"gateway": gateway, "host": "dev.example.com"})
    assert made["spec"]["parentRefs"][0]["sectionName"] == "https"
    assert made["spec"]["hostnames"] == ["dev.example.com"]


def test_an_ingress_matches_whole_path_elements_when_it_rewrites():
    made = http_route(routing=INGRESS)
    path = made["spec"]["rules"][0]["http"]["paths"][0]
    assert path["path"] == "/datafactory/pricing/quotes(/|$)(.*)"
    assert made["metadata"]["annotations"]["nginx.ingress.kubernetes.io/rewrite-target"] == "/$2"


def test_an_ingress_without_strip_prefix_needs_no_annotation():
    made = http_route(routing=INGRESS, route={"stripPrefix": False})
    assert made["spec"]["rules"][0]["http"]["paths"][0]["pathType"] == "Prefix"
    assert "annotations" not in made["metadata"]


@pytest.mark.parametrize(
    ("path", "whole"),
    [("/datafactory/pricing/quotes", True), ("/datafactory/pricing/quotes/", True),
     ("/datafactory/pricing/quotes/v2", False)],
)  # fmt: skip
def test_the_same_path_and_one_below_it_are_claims(path, whole):
    (claim,) = route_owners.claims(http_route(), [other(path)])
    assert (claim.owner, claim.whole) == ("HTTPRoute apps/other", whole)


def test_a_path_that_only_begins_alike_is_no_claim():
    assert route_owners.claims(http_route(), [other("/datafactory/pricing/quotes2")]) == []


def test_another_gateway_or_another_host_is_no_claim():
    path = "/datafactory/pricing/quotes"
    mine = http_route(routing=GATEWAY | {"host": "dev.example.com"})
    elsewhere = [other(path, gateway=("gateways", "gw2")), other(path, hosts=["prod.example.com"])]
    assert route_owners.claims(mine, elsewhere) == []


def test_a_wildcard_host_meets_a_host_below_it():
    mine = http_route(routing=GATEWAY | {"host": "dev.example.com"})
    found = route_owners.claims(
        mine, [other("/datafactory/pricing/quotes", hosts=["*.example.com"])]
    )
    assert len(found) == 1


def test_our_own_route_is_no_claim():
    mine = http_route()
    assert route_owners.claims(mine, [mine]) == []


def test_a_route_is_accepted_when_the_gateway_says_so_of_its_present_state():
    def judged(*, accepted="True", resolved="True", seen=2):
        made = http_route()
        made["metadata"]["generation"] = 2
        conditions = [
            {"type": "Accepted", "status": accepted, "reason": "R", "observedGeneration": seen},
            {"type": "ResolvedRefs", "status": resolved, "reason": "R", "observedGeneration": seen},
        ]
        made["status"] = {"parents": [{"parentRef": {"name": "gw"}, "conditions": conditions}]}
        return route_owners.acceptance(made, Gateway(name="gw", namespace="gateways"))

    assert judged().accepted
    assert not judged(seen=1).accepted
    assert "ResolvedRefs is false" in judged(resolved="False").problem
