"""The public route, and the owners of a path."""

import pytest
from manifest_engine.domain.route import owners as route_owners
from manifest_engine.domain.route import routes

from tests.unit.domain.release.releases import GATEWAY, make_release

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


def test_the_prefix_header_overrides_the_header_of_a_client():
    (rule,) = http_route()["spec"]["rules"]
    header = {"name": "X-Forwarded-Prefix", "value": "/datafactory/pricing/quotes"}
    assert rule["filters"][0]["requestHeaderModifier"] == {"set": [header]}


def test_without_strip_prefix_nothing_is_rewritten():
    assert "filters" not in http_route(route={"stripPrefix": False})["spec"]["rules"][0]


@pytest.mark.parametrize(
    ("fields", "seconds"),
    [
        ({}, 60),
        ({"route": {"timeoutSeconds": 200}}, 200),
        ({"route": {"timeoutSeconds": 0}}, 0),
        ({"shutdownSeconds": 20}, 20),
        ({"shutdownSeconds": 200}, 60),
    ],
)
def test_the_request_timeout_is_set_explicitly_and_fits_the_shutdown_time(fields, seconds):
    (rule,) = http_route(**fields)["spec"]["rules"]
    assert rule["timeouts"] == {"request": f"{seconds}s"}


@pytest.mark.parametrize(("asked", "seconds"), [(200, "200"), (0, "86400")])
def test_an_ingress_has_the_request_timeout_in_its_annotations(asked, seconds):
    nginx = "nginx.ingress.kubernetes.io/proxy-"
    made = http_route(routing=INGRESS, route={"timeoutSeconds": asked})["metadata"]["annotations"]
    assert made[nginx + "read-timeout"] == made[nginx + "send-timeout"] == seconds


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


def test_an_ingress_without_strip_prefix_rewrites_nothing():
    made = http_route(routing=INGRESS, route={"stripPrefix": False})
    assert made["spec"]["rules"][0]["http"]["paths"][0]["pathType"] == "Prefix"
    assert not any("rewrite" in key for key in made["metadata"]["annotations"])


@pytest.mark.parametrize(
    ("path", "whole"),
    [("/datafactory/pricing/quotes", True), ("/datafactory/pricing/quotes/", True),
     ("/datafactory/pricing/quotes/v2", False)],
)  # fmt: skip
def test_the_same_path_and_a_path_below_it_are_claims(path, whole):
    (claim,) = route_owners.claims(http_route(), [other(path)])
    assert (claim.owner, claim.whole) == ("HTTPRoute apps/other", whole)


def test_a_path_with_the_same_beginning_is_no_claim():
    assert route_owners.claims(http_route(), [other("/datafactory/pricing/quotes2")]) == []


def test_another_gateway_or_another_host_is_no_claim():
    path = "/datafactory/pricing/quotes"
    mine = http_route(routing=GATEWAY | {"host": "dev.example.com"})
    elsewhere = [other(path, gateway=("gateways", "gw2")), other(path, hosts=["prod.example.com"])]
    assert route_owners.claims(mine, elsewhere) == []


def test_a_wildcard_host_covers_a_host_below_it():
    mine = http_route(routing=GATEWAY | {"host": "dev.example.com"})
    found = route_owners.claims(
        mine, [other("/datafactory/pricing/quotes", hosts=["*.example.com"])]
    )
    assert len(found) == 1


@pytest.mark.parametrize(
    ("mine", "others", "conflict"),
    [("dev.example.com", "dev.example.com", True), ("dev.example.com", "*.example.com", True),
     ("dev.example.com", "prod.example.com", False), ("dev.example.com", None, False),
     (None, None, False)],
)  # fmt: skip
def test_routes_of_two_kinds_conflict_only_on_a_common_host_name(mine, others, conflict):
    """Without a host name, the two routes may have different addresses."""
    route = http_route(routing=GATEWAY | ({"host": mine} if mine else {}))
    ingress = http_route(routing=INGRESS | {"host": others})
    ingress["metadata"]["name"] = "other"
    assert len(route_owners.claims(route, [ingress])) == conflict
    ingress, route = {**ingress, "metadata": route["metadata"]}, {
        **route, "metadata": ingress["metadata"],
    }  # fmt: skip
    assert len(route_owners.claims(ingress, [route])) == conflict


@pytest.mark.parametrize(
    ("mine", "others", "conflict"),
    [
        ({"section": "https"}, {"sectionName": "http"}, False),
        ({"section": "https"}, {"sectionName": "https"}, True),
        ({"section": "https"}, {}, True),
        ({}, {"sectionName": "http"}, True),
        ({"section": "https"}, {"port": 443}, True),
        ({}, {"kind": "Service", "group": ""}, False),
        ({}, {"namespace": "apps"}, False),
        ({}, {"kind": "Gateway", "group": "gateway.networking.k8s.io"}, True),
    ],
)
def test_routes_on_two_listeners_of_a_gateway_do_not_conflict(mine, others, conflict):
    gateway = {"name": "gw", "namespace": "gateways"}
    route = http_route(routing=GATEWAY | {"gateway": gateway | mine})
    foreign = other("/datafactory/pricing/quotes")
    foreign["spec"]["parentRefs"] = [gateway | others]
    assert bool(route_owners.claims(route, [foreign])) is conflict


def ingress(path, *, host="dev.example.com", **changes):
    backend = {"service": {"name": "other", "port": {"number": 80}}}
    rule = {"http": {"paths": [{"path": path, "pathType": "Prefix", "backend": backend}]}}
    metadata = {"name": "other", "namespace": "apps", "annotations": changes.pop("annotations", {})}
    spec = {"ingressClassName": "nginx", "rules": [rule | ({"host": host} if host else {})]}
    return {"kind": "Ingress", "metadata": metadata, "spec": spec | changes}


@pytest.mark.parametrize(
    ("host", "conflict"),
    [("dev.example.com", True), (None, True), ("*.example.com", True), ("*.com", False)],
)
def test_a_wildcard_of_an_ingress_stands_for_one_label(host, conflict):
    found = route_owners.claims(
        http_route(routing=INGRESS), [ingress("/datafactory/pricing/quotes", host=host)]
    )
    assert [claim.owner for claim in found] == (["Ingress apps/other"] if conflict else [])


@pytest.mark.parametrize(
    ("changes", "conflict"),
    [
        ({"ingressClassName": "traefik"}, False),
        ({"ingressClassName": None}, True),
        (
            {
                "ingressClassName": None,
                "annotations": {"kubernetes.io/ingress.class": "traefik"},
            },
            False,
        ),
    ],
)
def test_an_ingress_without_a_class_can_conflict_with_any_class(changes, conflict):
    mine = http_route(routing=INGRESS)
    foreign = ingress("/datafactory/pricing/quotes", **changes)
    assert bool(route_owners.claims(mine, [foreign])) is conflict


def test_our_own_route_is_no_claim():
    mine = http_route()
    assert route_owners.claims(mine, [mine]) == []


@pytest.mark.parametrize(("label", "claimed"), [("manifest-engine", False), ("Helm", True)])
def test_a_route_of_our_name_and_the_other_kind_is_ours_only_with_our_label(label, claimed):
    host = {"host": "dev.example.com"}
    route, ingress = http_route(routing=GATEWAY | host), http_route(routing=INGRESS)
    for mine, other_kind in ((route, ingress), (ingress, route)):
        labels = {"app.kubernetes.io/managed-by": label}
        foreign = other_kind | {"metadata": other_kind["metadata"] | {"labels": labels}}
        found = route_owners.claims(mine, [foreign])
        assert [claim.owner for claim in found] == (
            [f"{foreign['kind']} apps/pricing-quotes"] if claimed else []
        )
